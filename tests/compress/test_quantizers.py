"""Each way to int8 does what its name says."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from compress.context import Context
from compress.export.screening import export_for_screening
from compress.export.session import describe_fusion, graph_report, logits
from compress.quantize import QuantizeError
from compress.quantize.dynamic import dynamic
from compress.quantize.int4 import int4_weights
from compress.quantize.mixed import divergence, fewest, mixed
from compress.quantize.static import static
from compress.quantize.step import Quantize
from spaces.tasks.data import Split, make_data
from tests.compress.small_networks import INPUT_SHAPE, NORMALISATION, images

LABELS = torch.arange(300) % 10
DATA = make_data(Split(images(300), LABELS), Split(images(60, 1), LABELS[:60]), lambda: Split(images(1), LABELS[:1]),
                 tuple("0123456789"), "random")  # fmt: skip


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(DATA, None, tmp_path)


def fragile(path: Path, to: Path) -> Path:
    """The file with all channels but one of its first convolution made tiny, and made large again by the second one.

    One scale for all channels of the activation between them rounds the tiny ones away: int8 ruins it, float does not.
    """
    model = onnx.load(path)
    first, second = (node for node in model.graph.node if node.op_type == "Conv")
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}

    def scale(name: str, part: tuple[slice, ...], factor: float) -> None:
        numbers = numpy_helper.to_array(tensors[name]).copy()
        numbers[part] *= factor
        tensors[name].CopyFrom(numpy_helper.from_array(numbers, name))

    for name in first.input[1:]:
        scale(name, (slice(1, None),), 1e-4)
    scale(second.input[1], (slice(None), slice(1, None)), 1e4)
    onnx.save(model, to)
    return to


def test_weights_of_four_bits_take_less_room_than_those_of_eight(context: Context, tmp_path: Path) -> None:
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.Flatten(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)
    )
    float_file = export_for_screening(network.eval(), NORMALISATION, INPUT_SHAPE, tmp_path / "float.onnx")
    four = int4_weights(float_file, context, tmp_path / "four.onnx", Quantize("int4-weights"))
    eight = dynamic(float_file, context, tmp_path / "eight.onnx", Quantize("int8-dynamic"))
    report = graph_report(four)
    assert (report["int8_products"], report["int8_convolutions"], report["convolutions"]) == (2, 0, 1)
    assert four.stat().st_size < 0.75 * eight.stat().st_size < 0.25 * float_file.stat().st_size


def test_a_network_without_products_has_no_weights_for_four_bits(context: Context, tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(1, 10, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    float_file = export_for_screening(network, NORMALISATION, INPUT_SHAPE, tmp_path / "float.onnx")
    with pytest.raises(QuantizeError, match="no product with stored weights.*Write kind: int8-static"):
        int4_weights(float_file, context, tmp_path / "four.onnx", Quantize("int4-weights"))
    assert not (tmp_path / "four.onnx").exists()


def test_dynamic_quantizes_products_with_stored_weights_only(
    onnx_files: dict[str, Path], context: Context, tmp_path: Path
) -> None:
    path = dynamic(onnx_files["attention"], context, tmp_path / "q.onnx", Quantize("int8-dynamic"))
    before, after = graph_report(onnx_files["attention"]), graph_report(path)
    assert after["int8_convolutions"] == 0 and after["convolutions"] == before["convolutions"] > 0
    assert after["int8_products"] == 5  # four projections and the head; attention itself has no stored weights
    assert after["products"] - after["int8_products"] == 2


def test_dynamic_refuses_a_file_without_a_stored_product(context: Context, tmp_path: Path) -> None:
    float_path = export_for_screening(nn.Conv2d(1, 4, 3), NORMALISATION, INPUT_SHAPE, tmp_path / "convolution.onnx")
    with pytest.raises(QuantizeError, match="no product with stored weights.*Write kind: int8-static"):
        dynamic(float_path, context, tmp_path / "q.onnx", Quantize("int8-dynamic"))


def test_mixed_is_static_where_static_is_good_enough(
    onnx_files: dict[str, Path], context: Context, tmp_path: Path
) -> None:
    settings = Quantize("int8-mixed", images=32, check=64, agreement=0.5)
    one = mixed(onnx_files["depthwise"], context, tmp_path / "mixed.onnx", settings)
    other = static(onnx_files["depthwise"], context, tmp_path / "static.onnx", settings)
    assert one.read_bytes() == other.read_bytes()


def test_mixed_leaves_what_int8_ruins_in_float_and_no_more(
    onnx_files: dict[str, Path], context: Context, tmp_path: Path
) -> None:
    float_path = fragile(onnx_files["plain"], tmp_path / "fragile.onnx")
    settings = Quantize("int8-mixed", images=32, check=100, agreement=0.9)
    others = context.calibration(100, after=32)
    expected = logits(float_path, others).argmax(1)

    def agreement(path: Path) -> float:
        return float((logits(path, others).argmax(1) == expected).mean())

    assert agreement(static(float_path, context, tmp_path / "static.onnx", settings)) < 0.9
    path = mixed(float_path, context, tmp_path / "mixed.onnx", settings)
    assert agreement(path) >= 0.9
    report = graph_report(path)
    assert 0 < report["int8_nodes"] < report["int8_nodes"] + report["float_nodes"] == 3


def test_mixed_refuses_what_it_cannot_reach_and_what_it_cannot_check(
    onnx_files: dict[str, Path], context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "q.onnx"
    with pytest.raises(QuantizeError, match="beside the 300 of the calibration. Lower `images`"):
        mixed(onnx_files["plain"], context, path, Quantize("int8-mixed", images=500))
    moods = iter(range(1000))

    def moody(file: Path, x: np.ndarray) -> np.ndarray:
        """A runtime that never answers the same twice."""
        return np.random.default_rng(next(moods)).normal(size=(len(x), 10))

    monkeypatch.setattr("compress.quantize.mixed.logits", moody)
    with pytest.raises(QuantizeError, match="`agreement` of 0.99 on 64 images"):
        mixed(onnx_files["plain"], context, path, Quantize("int8-mixed", images=8, check=64))
    assert not path.exists()


@pytest.mark.parametrize("answer", range(1, 14))
def test_bisection_finds_the_least_number_in_few_questions(answer: int) -> None:
    asked: list[int] = []
    assert fewest(13, lambda k: asked.append(k) or k >= answer) == answer
    assert len(asked) <= 4 and 13 not in asked


def test_divergence_is_of_the_answers_and_not_of_the_logits() -> None:
    one, other = np.array([[1.0, 2.0, 3.0]]), np.array([[3.0, 2.0, 1.0]])
    assert abs(divergence(one, one + 5)) < 1e-12
    p, q = np.exp(one) / np.exp(one).sum(), np.exp(other) / np.exp(other).sum()
    assert abs(divergence(one, other) - float((p * np.log(p / q)).sum())) < 1e-12


def test_fusion_is_told_by_kind() -> None:
    report = {"convolutions": 9, "int8_convolutions": 8, "products": 1, "int8_products": 1}
    assert describe_fusion(report) == "8 of 9 convolutions and 1 of 1 products fused to int8"
    assert describe_fusion({"convolutions": 0, "products": 0}) == "nothing fused to int8"


@pytest.mark.parametrize(
    "settings", [{"kind": "int4"}, {"images": 0}, {"check": 0}, {"method": "entropy"}, {"agreement": 1.5}]
)
def test_settings_that_cannot_be_are_refused(settings: dict) -> None:
    with pytest.raises(ValueError, match=f"`{next(iter(settings))}`"):
        Quantize(**settings)
