"""What every registered quantizer promises: the float file's answers, smaller, the same bytes again, or one message."""

from pathlib import Path

import numpy as np
import pytest
import torch

from compress.context import Context
from compress.export import EXPORTERS, ExportError
from compress.export.session import graph_report, logits
from compress.quantize import QUANTIZERS, QuantizeError
from compress.quantize.step import Quantize
from compress.train import Training, fit, hard_labels
from tests.compress.small_networks import attention, depthwise
from tests.toy_task import toy_data

DATA = toy_data()
NORMALISATION = DATA.mean, DATA.std


@pytest.fixture(scope="module", params=[depthwise, attention], ids=["convolutions", "attention"])
def float_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network trained a little, so that its answers mean something."""
    network = request.param(32)
    with torch.random.fork_rng():
        fit(network, DATA, Training(epochs=2, batch=32), hard_labels(), seed=0)
    path = tmp_path_factory.mktemp("float") / "float.onnx"
    return EXPORTERS.get("onnx")(network, NORMALISATION, DATA.input_shape, path)


@pytest.mark.parametrize("kind", QUANTIZERS.names())
def test_the_file_answers_as_the_float_file_is_smaller_and_the_same_twice(
    kind: str, float_file: Path, tmp_path: Path
) -> None:
    settings, context = Quantize(kind, images=32, check=64, agreement=0.9), Context(DATA, None, tmp_path)
    paths = [tmp_path / f"{i}.onnx" for i in range(2)]
    for path in paths:
        assert QUANTIZERS.get(kind)(float_file, context, path, settings) == path
    x = DATA.validation.x.numpy()
    before, after = logits(float_file, x), logits(paths[0], x)
    assert not np.array_equal(before, after)
    assert (before.argmax(1) == after.argmax(1)).mean() >= 0.9
    assert graph_report(paths[0])["int8_nodes"] > 0
    assert paths[0].stat().st_size < float_file.stat().st_size
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.onnx", "1.onnx"]


@pytest.mark.parametrize("kind", QUANTIZERS.names())
def test_a_file_that_is_none_is_refused_and_nothing_is_left(kind: str, tmp_path: Path) -> None:
    broken, path = tmp_path / "broken.onnx", tmp_path / "int8.onnx"
    broken.write_bytes(b"not a model")
    with pytest.raises((QuantizeError, ExportError), match="broken.onnx"):
        QUANTIZERS.get(kind)(broken, Context(DATA, None, tmp_path), path, Quantize(kind, images=8, check=8))
    assert not path.exists()
