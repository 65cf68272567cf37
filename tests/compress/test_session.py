"""Files are opened one way, and what the runtime makes of them is counted."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from compress.export import ExportError
from compress.export.screening import export_part
from compress.export.session import describe_fusion, graph_report, logits, open_session
from compress.quantize.int8 import quantize_static
from tests.compress.small_networks import images


def test_images_are_answered_one_by_one_and_in_order(onnx_files: dict[str, Path]) -> None:
    x = images(7).numpy()
    together = logits(onnx_files["plain"], x)
    assert together.shape == (7, 10) and together.dtype == np.float32
    for i in (0, 6):
        np.testing.assert_array_equal(logits(onnx_files["plain"], x[i : i + 1])[0], together[i])
    assert logits(onnx_files["plain"], x[:0]).shape == (0, 10)


def test_images_of_another_shape_are_refused(onnx_files: dict[str, Path]) -> None:
    with pytest.raises(ExportError, match=r"takes inputs of shape \(1, 8, 8\), got \(3, 8, 8\)"):
        logits(onnx_files["plain"], np.zeros((2, 3, 8, 8), np.float32))


def test_a_missing_or_damaged_file_is_named_with_a_remedy(onnx_files: dict[str, Path], tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(onnx_files["plain"].read_bytes()[:500])
    for path in (tmp_path / "missing.onnx", damaged):
        with pytest.raises(ExportError, match=f"cannot open .*{path.name}.*Export the network again"):
            open_session(path)


def test_sessions_do_not_spin_and_take_the_threads_they_are_given(onnx_files: dict[str, Path]) -> None:
    options = open_session(onnx_files["plain"], threads=2).get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (2, 2)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    with pytest.raises(ValueError, match="`threads` must be at least 1, got 0"):
        open_session(onnx_files["plain"], threads=0)


def test_a_float_file_has_no_int8_and_a_quantized_one_no_float_arithmetic(
    onnx_files: dict[str, Path], int8_file: Path
) -> None:
    before, after = graph_report(onnx_files["depthwise"]), graph_report(int8_file)
    assert (before["fused_share"], before["int8_nodes"], before["qdq_nodes"]) == (0.0, 0, 0)
    assert after["float_nodes"] == 0 and after["int8_nodes"] == before["float_nodes"]
    assert after["fused_share"] == 1.0 and after["qdq_nodes"] > 0


def test_a_transposed_convolution_is_counted_and_stays_float(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layers = nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.ConvTranspose2d(8, 8, 2, 2), nn.ReLU(), nn.Conv2d(8, 8, 3)
    network = nn.Sequential(*layers, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10)).eval()
    plain = export_part(network, (1, 8, 8), tmp_path / "plain.onnx")
    quantized = quantize_static(plain, images(16).numpy(), tmp_path / "int8.onnx")
    assert describe_fusion(graph_report(quantized)) == "2 of 3 convolutions and 1 of 1 products fused to int8"
    before, after = graph_report(plain), graph_report(quantized)
    assert before["convolutions"] == after["convolutions"] == 3 and after["fused_share"] == 0.75


def test_a_product_the_runtime_cannot_fuse_lowers_the_share(int8_file: Path, tmp_path: Path) -> None:
    model = onnx.load(int8_file)
    weight = helper.make_tensor("extra", TensorProto.FLOAT, [10, 10], [0.1] * 100)
    model.graph.initializer.append(weight)
    for node in model.graph.node:
        node.output[:] = ["before" if name == "logits" else name for name in node.output]
    model.graph.node.append(helper.make_node("MatMul", ["before", "extra"], ["logits"]))
    path = tmp_path / "partly.onnx"
    onnx.save(model, path)
    report = graph_report(path)
    assert report["float_nodes"] == 1
    assert report["fused_share"] == report["int8_nodes"] / (report["int8_nodes"] + 1)
