"""Activations and additions are int8 where integers come in and go on, and nowhere else."""

from pathlib import Path

import onnx
import pytest
import torch
from torch import Tensor, nn

from compress.export.screening import export_for_screening
from compress.export.session import graph_report
from compress.quantize.between import between
from compress.quantize.int8 import OPERATORS, prepare, quantize_static
from tests.compress.small_networks import INPUT_SHAPE, NORMALISATION, images


class Sums(nn.Module):
    """x + f(x) on the way to a convolution, then a sum that LayerNorm reads."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = (nn.Conv2d(c, 4, 3, padding=1) for c in (1, 4, 4))
        self.norm, self.head = nn.LayerNorm(4), nn.Linear(4, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x).relu()
        x = (x + self.second(x)).relu()  # read by a convolution and by the next sum, which is float
        y = self.third(x).mean((2, 3)) + x.mean((2, 3))
        return self.head(self.norm(y).relu())


class Chain(nn.Module):
    """Two sums that only convolutions read, through ReLU6."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third, self.last = (nn.Conv2d(c, 4, 3, padding=1) for c in (1, 4, 4, 4))
        self.act, self.head = nn.ReLU6(), nn.Linear(4, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.first(x))
        x = self.act(x + self.second(x))
        x = x + self.third(x)
        return self.head(self.act(self.last(x)).mean((2, 3)))


def exported(network: nn.Module, folder: Path) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return export_for_screening(network.eval(), NORMALISATION, INPUT_SHAPE, folder / "float.onnx")


@pytest.mark.parametrize(("make", "kinds"), [(Chain, ["Add", "Add", "Clip", "Clip", "Clip"]), (Sums, ["Relu"])])
def test_what_integers_reach_on_both_sides_is_taken(make: type[nn.Module], kinds: list[str], tmp_path: Path) -> None:
    graph = onnx.load(prepare(exported(make(), tmp_path), tmp_path / "prepared.onnx")).graph
    operators = {node.name for node in graph.node if node.op_type in OPERATORS}
    taken = between(graph, operators)
    assert sorted(node.op_type for node in graph.node if node.name in taken) == kinds
    assert not between(graph, set())


def test_a_file_of_convolutions_and_sums_is_quantized_at_its_ends_and_around_its_mean(tmp_path: Path) -> None:
    path = quantize_static(exported(Chain(), tmp_path), images(16).float().numpy(), tmp_path / "int8.onnx")
    report = graph_report(path)
    assert (report["float_nodes"], report["int8_convolutions"], report["qdq_nodes"]) == (0, 4, 4)
