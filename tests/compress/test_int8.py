"""Static int8 keeps the answers, shrinks the weights and is the same file every time."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from compress.export.screening import export_for_screening
from compress.export.session import logits
from compress.quantize import QuantizeError
from compress.quantize.int8 import Int8Static, quantize_static
from tests.compress.small_networks import INPUT_SHAPE, NORMALISATION, depthwise, images, torch_logits


def noisy_patterns(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images of ten classes: a pattern each, under noise."""
    patterns, y = images(10, seed=99), torch.arange(n) % 10
    return 0.6 * patterns[y] + 0.4 * images(n, seed), y


def trained() -> nn.Module:
    """A network whose last layer is solved for by least squares."""
    network, (x, y) = depthwise(), noisy_patterns(1000, seed=0)
    assert isinstance(network, nn.Sequential)
    last = network[-1]
    assert isinstance(last, nn.Linear)
    features = torch_logits(network[:-1], x)
    solution = torch.linalg.lstsq(torch.cat([features, torch.ones(1000, 1)], 1), torch.eye(10)[y]).solution
    with torch.no_grad():
        last.weight.copy_(solution[:-1].T)
        last.bias.copy_(solution[-1])
    return network


@pytest.mark.parametrize("method", ["minmax", "percentile"])
def test_an_int8_file_classifies_as_the_float_file(method: str, tmp_path: Path) -> None:
    float_path = export_for_screening(trained(), NORMALISATION, INPUT_SHAPE, tmp_path / "float.onnx")
    x, y = noisy_patterns(300, seed=1)
    before = logits(float_path, x.numpy())
    path = quantize_static(float_path, noisy_patterns(64, seed=2)[0].numpy(), tmp_path / "q.onnx", Int8Static(method))
    after = logits(path, x.numpy())
    assert (before.argmax(1) == y.numpy()).mean() > 0.9
    assert (after.argmax(1) == before.argmax(1)).mean() > 0.9
    assert 0 < np.abs(after - before).mean() < 0.05 * (before.max() - before.min())


def test_equal_calibration_gives_equal_bytes_and_other_calibration_other_ones(
    onnx_files: dict[str, Path], int8_file: Path, tmp_path: Path
) -> None:
    again = quantize_static(onnx_files["depthwise"], images(64).numpy(), tmp_path / "again.onnx")
    other = quantize_static(onnx_files["depthwise"], images(64).numpy() * 0.5, tmp_path / "other.onnx")
    assert again.read_bytes() == int8_file.read_bytes() != other.read_bytes()


def test_weights_are_signed_per_channel_and_activations_unsigned(int8_file: Path) -> None:
    model = onnx.load(int8_file)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    made_by = {name: node for node in model.graph.node for name in node.output}
    assert convolutions
    for node in convolutions:
        activation, weight = (made_by[name] for name in node.input[:2])
        assert tensors[weight.input[0]].data_type == onnx.TensorProto.INT8
        assert tensors[weight.input[1]].dims == tensors[weight.input[0]].dims[:1]  # one scale a channel
        assert tensors[activation.input[2]].data_type == onnx.TensorProto.UINT8
    assert not model.metadata_props and not model.graph.value_info


def test_nothing_but_the_file_is_left_behind_and_nothing_is_said(
    onnx_files: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch, here = tmp_path / "scratch", tmp_path / "here"
    scratch.mkdir()
    here.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    monkeypatch.chdir(here)
    quantize_static(onnx_files["plain"], images(8).numpy(), tmp_path / "q.onnx")
    assert capfd.readouterr() == ("", "")
    assert list(scratch.iterdir()) == list(here.iterdir()) == []


def test_what_cannot_be_quantized_is_refused_with_a_remedy(onnx_files: dict[str, Path], tmp_path: Path) -> None:
    good, path = onnx_files["plain"], tmp_path / "q.onnx"
    broken = images(4).numpy()
    broken[2, 0, 3, 3] = np.nan
    for calibration, config, message in [
        (np.zeros((0, 1, 8, 8), np.float32), Int8Static(), "n >= 1"),
        (broken, Int8Static(), "not finite"),
        (np.zeros((4, 3, 8, 8), np.float32), Int8Static(), "shape of its input"),
        (images(4).numpy(), Int8Static("entropy"), "must be one of minmax, percentile, got 'entropy'"),
    ]:
        with pytest.raises(QuantizeError, match=message):
            quantize_static(good, calibration, path, config)
    with pytest.raises(QuantizeError, match="missing.onnx cannot be quantized"):
        quantize_static(tmp_path / "missing.onnx", images(4).numpy(), path)
    assert not path.exists()
