"""The optional back end: refused with a remedy where it is missing, and beside our own where it is there."""

import importlib.util

import pytest

from compress.quantize import neural_compressor
from compress.quantize.neural_compressor import NeuralCompressor


def test_without_the_library_the_step_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neural_compressor.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'lathe\[neural-compressor\]'.*`quantize` and `qat`"):
        NeuralCompressor()


@pytest.mark.skipif(not importlib.util.find_spec("neural_compressor"), reason="an extra of its own")
def test_calibration_needs_an_image() -> None:
    with pytest.raises(ValueError, match="`images` must be at least 1, got 0"):
        NeuralCompressor(images=0)
