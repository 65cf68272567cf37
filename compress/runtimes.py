"""In which runtime a file is judged: its answers, and what it makes of the graph."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from compress.export import ExportError
from compress.export.openvino import SETTINGS, answers
from compress.export.session import graph_report, logits

INTEGERS = ("i8", "u8")
PRODUCTS = ("FullyConnected", "MatMul")


@dataclass(frozen=True)
class Runtime:
    """format: of the exporter that answers so; "": the file's suffix tells. answers: (file, raw pixels) -> logits.
    report: what is in integers, see `export.session.graph_report`."""

    format: str
    answers: Callable[[Path, np.ndarray], np.ndarray]
    report: Callable[[Path], dict[str, int | float]]


def runtime_of(step: Any) -> Runtime:
    """Of a step, its class or a variant's quantization: ONNX Runtime, unless it says `engine = "openvino"`."""
    return OPENVINO if getattr(step, "engine", "") == "openvino" else ONNXRUNTIME


def openvino_report(path: Path) -> dict[str, int | float]:
    """As `graph_report`, of what OpenVINO runs on this machine. Raises: ExportError. Cost: compiling the file."""
    import openvino

    try:
        compiled = openvino.Core().compile_model(path, "CPU", SETTINGS)
    except Exception as error:  # openvino raises RuntimeError for everything
        raise ExportError(f"OpenVINO cannot open {path}: {str(error).strip()[:300]} Export it again.") from error
    kinds: Counter[tuple[str, bool]] = Counter()
    for node in compiled.get_runtime_model().get_ordered_ops():
        info = node.get_rt_info()
        kind, precision = (info[key].astype(str) for key in ("layerType", "runtimePrecision"))
        kinds[kind, precision in INTEGERS] += 1
    integers, floats = (
        {
            "convolutions": kinds["Convolution", whole] + kinds["Deconvolution", whole],  # the latter is transposed
            "products": sum(kinds[kind, whole] for kind in PRODUCTS),
        }
        for whole in (True, False)
    )
    int8, floating = sum(integers.values()), sum(floats.values())
    return {
        "nodes": kinds.total(),
        "convolutions": integers["convolutions"] + floats["convolutions"],
        "int8_convolutions": integers["convolutions"],
        "products": integers["products"] + floats["products"],
        "int8_products": integers["products"],
        "int8_nodes": int8,
        "float_nodes": floating,
        "qdq_nodes": sum(kinds["FakeQuantize", whole] for whole in (True, False)),
        "fused_share": int8 / (int8 + floating) if int8 + floating else 0.0,
    }


ONNXRUNTIME = Runtime("", logits, graph_report)
OPENVINO = Runtime("openvino", answers, openvino_report)  # reads ONNX files itself
