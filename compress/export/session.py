"""ONNX Runtime on the processor, opened the same way by everything that evaluates or measures a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from compress.export import ExportError
from compress.runner.engines.onnxruntime import session_options as options_of
from compress.scratch import scratch_folder

if TYPE_CHECKING:
    import onnx
    import onnxruntime as ort

# Operators of the optimised graph: (in float, in int8). A transposed convolution has no int8 operator on the processor:
# between quantize and dequantize nodes it would still run in float.
CONVOLUTIONS = {"Conv", "ConvTranspose", "FusedConv", "NhwcFusedConv"}, {"ConvInteger", "QLinearConv"}
PRODUCTS = (
    {"FusedGemm", "FusedMatMul", "Gemm", "MatMul"},
    {"DynamicQuantizeMatMul", "MatMulInteger", "MatMulIntegerToFloat", "MatMulNBits", "QGemm", "QLinearMatMul"},
)


def session_options(threads: int = 1) -> ort.SessionOptions:
    """All optimisations, sequential, `threads` threads that do not spin, errors only in the log: as when measured."""
    if threads < 1:
        raise ValueError(f"`threads` must be at least 1, got {threads}.")
    return options_of(threads)


def open_session(path: Path, threads: int = 1) -> ort.InferenceSession:
    """A session on the processor. Raises ExportError if the file is missing or is not a model. Cost: 5-50 ms."""
    return _open(path, session_options(threads))


def _open(path: Path, options: ort.SessionOptions) -> ort.InferenceSession:
    import onnxruntime as ort

    try:
        return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no common ancestor but Exception
        reason = str(error).splitlines()[0]
        raise ExportError(f"ONNX Runtime cannot open {path}: {reason} Export the network again.") from error


def logits(path: Path, x: np.ndarray, rewritten: bool = True) -> np.ndarray:
    """(N, C, H, W) float32 raw pixels -> (N, classes) float32, image by image as on the device.

    rewritten: False runs the graph as it stands in the file, so an int8 one in float arithmetic.
    Raises: ExportError: if the file cannot be run or takes images of another shape. Cost: N times the latency.
    """
    import onnxruntime as ort

    options = session_options()
    if not rewritten:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = _open(path, options)
    given = session.get_inputs()[0]
    if list(x.shape[1:]) != list(given.shape[1:]):
        raise ExportError(f"{path.name} takes inputs of shape {tuple(given.shape[1:])}, got {x.shape[1:]}.")
    x = np.ascontiguousarray(x, dtype=np.float32)
    rows = [np.asarray(session.run(None, {given.name: x[i : i + 1]})[0]) for i in range(len(x))]
    width = session.get_outputs()[0].shape[-1]
    return np.concatenate(rows) if rows else np.zeros((0, width), np.float32)


def optimised(path: Path) -> onnx.ModelProto:
    """What ONNX Runtime makes of a file on this machine. Raises: ExportError. Cost: like opening a session."""
    import onnx

    with scratch_folder() as folder:
        options = session_options()
        options.optimized_model_filepath = str(folder / "optimised.onnx")
        options.log_severity_level = 4  # it warns that the saved file fits this processor only, as is meant here
        _open(path, options)
        return onnx.load(options.optimized_model_filepath)


def graph_report(path: Path) -> dict[str, int | float]:
    """What ONNX Runtime makes of a file on this machine, counted in the graph it really runs.

    nodes: all. convolutions, products: of both arithmetics; int8_convolutions, int8_products: of them in int8.
    int8_nodes and float_nodes: both kinds together; fused_share is the first divided by both (0.0 if there are none).
    qdq_nodes: quantize and dequantize nodes left over.
    Raises: ExportError as `open_session`. Cost: like opening a session.
    """
    graph = optimised(path).graph
    kinds = Counter(node.op_type for node in graph.node)
    (float_convolutions, convolutions), (float_products, products) = (
        [sum(kinds[kind] for kind in arithmetic) for arithmetic in operators] for operators in (CONVOLUTIONS, PRODUCTS)
    )
    int8, floating = convolutions + products, float_convolutions + float_products
    return {
        "nodes": len(graph.node),
        "convolutions": convolutions + float_convolutions,
        "int8_convolutions": convolutions,
        "products": products + float_products,
        "int8_products": products,
        "int8_nodes": int8,
        "float_nodes": floating,
        "qdq_nodes": kinds["QuantizeLinear"] + kinds["DequantizeLinear"],
        "fused_share": int8 / (int8 + floating) if int8 + floating else 0.0,
    }


def describe_fusion(report: Mapping[str, int | float]) -> str:
    """A graph report in words: "9 of 9 convolutions and 1 of 1 products fused to int8"."""
    parts = [
        f"{report[f'int8_{kind}']} of {report[kind]} {kind}" for kind in ("convolutions", "products") if report[kind]
    ]
    return f"{' and '.join(parts) or 'nothing'} fused to int8"
