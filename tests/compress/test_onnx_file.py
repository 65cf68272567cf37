"""A network of which only an ONNX file is there, as older and other exporters write it."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from compress.export.session import graph_report, logits
from compress.export.tidy import write_tidy
from compress.onnx_file import count_file, normalised_file
from compress.quantize.int8 import quantize_static
from spaces.counts import count_module

SHAPE, CLASSES = (1, 8, 8), 10
NORMALISATION = (4.9,), (6.0,)
IMAGES = np.random.default_rng(1).uniform(0, 16, (32, *SHAPE)).astype(np.float32)


def written(path: Path, opset: int, ir: int, softmax: bool = False) -> Path:
    """A small classifier of any batch. Before version 4 of the format every weight is an input too."""
    generator = np.random.default_rng(0)
    shapes = {"w0": (16, 1, 3, 3), "b0": (16,), "w1": (CLASSES, 16), "b1": (CLASSES,)}
    weights = {name: generator.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
    last = "scores" if softmax else "y"
    nodes = [
        helper.make_node("Conv", ["x", "w0", "b0"], ["c"], pads=[1] * 4),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "w1", "b1"], [last], transB=1),
        *([helper.make_node("Softmax", [last], ["y"], axis=1)] if softmax else []),
    ]
    sizes = {"x": ["n", *SHAPE], **(shapes if ir < 4 else {})}
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in sizes.items()]
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", CLASSES])
    stored = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    graph = helper.make_graph(nodes, "network", given, [made], stored)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir), path)
    return path


def asked(path: Path) -> np.ndarray:
    """What the file itself answers to the normalised images."""
    (mean,), (std,) = NORMALISATION
    return np.asarray(onnxruntime.InferenceSession(path).run(None, {"x": (IMAGES - mean) / std})[0])


@pytest.mark.parametrize(("opset", "ir"), [(7, 3), (9, 4), (12, 7), (17, 8)])
def test_a_file_of_an_older_operator_set_answers_alike_and_is_quantized_whole(
    opset: int, ir: int, tmp_path: Path
) -> None:
    given = written(tmp_path / "given.onnx", opset, ir)
    plain = write_tidy(normalised_file(given, NORMALISATION, SHAPE), tmp_path / "plain.onnx")
    np.testing.assert_allclose(logits(plain, IMAGES), asked(given), atol=1e-4)
    assert graph_report(quantize_static(plain, IMAGES, tmp_path / "int8.onnx"))["fused_share"] == 1.0


def test_of_a_file_that_ends_in_a_softmax_the_logits_are_taken(tmp_path: Path) -> None:
    given, bare = (written(tmp_path / f"{softmax}.onnx", 17, 8, softmax) for softmax in (True, False))
    plain = write_tidy(normalised_file(given, NORMALISATION, SHAPE), tmp_path / "plain.onnx")
    np.testing.assert_allclose(logits(plain, IMAGES), asked(bare), atol=1e-4)


def test_a_transposed_convolution_counts_as_torch_counts_it() -> None:
    """(1, 2, 4, 4) numbers, each times the 3 x 2 x 2 weights of its channel."""
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2])
    given, made = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", [1, 2, 4, 4]), ("y", [1, 3, 8, 8]))
    )
    weight = numpy_helper.from_array(np.zeros((2, 3, 2, 2), np.float32), "w")
    assert count_file(helper.make_model(helper.make_graph([node], "network", [given], [made], [weight]))).macs == 384
    counts, _ = count_module(nn.ConvTranspose2d(2, 3, 2, 2, bias=False), torch.zeros(1, 2, 4, 4))
    assert counts.macs == 384
