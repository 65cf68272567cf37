"""The optional back end: refused with a remedy where it is missing, and beside our own where it is there."""

import importlib.util
from pathlib import Path

import pytest
from torch import Tensor, nn

from compress.context import Context
from compress.quantize import QuantizeError, neural_compressor
from compress.quantize.neural_compressor import NeuralCompressor
from tests.contracts.small_spaces import scramble
from tests.toy_task import CLASSES, toy_data


def test_without_the_library_the_step_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neural_compressor.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'lathe\[neural-compressor\]'.*`quantize` and `qat`"):
        NeuralCompressor()


@pytest.mark.skipif(not importlib.util.find_spec("neural_compressor"), reason="an extra of its own")
def test_calibration_needs_an_image() -> None:
    with pytest.raises(ValueError, match="`images` must be at least 1, got 0"):
        NeuralCompressor(images=0)


class Dense(nn.Module):
    """A convolution that a BatchNorm and an addition read."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.second, self.head = nn.Conv2d(8, 8, 3, padding=1), nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) -> (N, CLASSES)."""
        known = self.first(x)
        return self.head((known + self.second(self.norm(known).relu())).mean((2, 3)))


@pytest.mark.skipif(not importlib.util.find_spec("neural_compressor"), reason="an extra of its own")
def test_a_convolution_that_others_read_is_refused_and_not_quantized_as_another_network(tmp_path: Path) -> None:
    """It folded the BatchNorm into the convolution that the addition reads too."""
    network = Dense().eval()
    scramble(network, 0)
    context = Context(toy_data(), None, tmp_path)
    with pytest.raises(QuantizeError, match="Write `quantize` or `qat` instead"):
        NeuralCompressor().write(network, tmp_path / "float.onnx", context, tmp_path / "int8.onnx")
