"""The bytes of a file's tensors at their peak."""

from pathlib import Path

import torch
from torch import nn

from compress.export.arena import arena_bytes, peak
from compress.export.screening import export_for_screening
from search.latency.precision import int8_file

SHAPE, NORMALISATION = (3, 16, 16), ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


class Residual(nn.Module):
    """16 channels at 16 x 16; the first convolution's output waits for the last one's."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.conv = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 16, 3, padding=1)
        self.head = nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, 16, 16) -> (N, 4)."""
        x = self.stem(x).relu()
        return self.head((x + self.conv(x).relu()).mean((2, 3)))


def test_a_tensor_counts_from_its_maker_to_its_last_reader_and_weights_do_not() -> None:
    nodes = [(("x", "w"), ("a",)), (("a",), ("b",)), (("a", "b"), ("c",)), (("c",), ("y",))]
    sizes = {"x": 100, "a": 10, "b": 20, "c": 5, "y": 1}
    assert peak(nodes, sizes, ["x"], ["y"]) == 110  # the input, and what the first node makes of it
    assert peak(nodes, {**sizes, "x": 1}, ["x"], ["y"]) == 35  # a waits for c
    assert peak(nodes, {**sizes, "y": 200}, ["x"], ["y"]) == 205


def test_an_int8_file_needs_less_than_half_of_the_float_one(tmp_path: Path) -> None:
    torch.manual_seed(0)
    plain = export_for_screening(Residual().eval(), NORMALISATION, SHAPE, tmp_path / "float.onnx")
    one = 16 * 16 * 16  # elements of a tensor; three of them are there when two are added
    assert arena_bytes(plain) == 3 * 4 * one
    int8 = arena_bytes(int8_file(plain, SHAPE, tmp_path / "int8.onnx"))
    assert int8 == one + 4 * one  # the mean over positions is taken in float, of a copy of the last tensor
