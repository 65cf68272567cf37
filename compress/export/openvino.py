"""OpenVINO's own format, for Intel's processors and accelerators: an .xml, and a .bin of weights beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from compress.export import EXPORTERS, Exporter, ExportError, Normalisation
from compress.export.onnx import export_onnx
from compress.scratch import scratch_folder

if TYPE_CHECKING:
    from torch import nn

# Without the first it computes in bfloat16 where the processor can, without a word: faster, and other answers.
SETTINGS = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}


def export_openvino(network: nn.Module, normalisation: Normalisation, input_shape: tuple[int, ...], path: Path) -> Path:
    """Write `network` as `path` and its weights as a .bin of the same name; its contract is `Exporter`'s.

    Through the ONNX file, which OpenVINO reads itself; its converter for torch sends usage statistics.
    Raises: ExportError. Cost: as the onnx exporter.
    """
    openvino = _openvino()
    with scratch_folder() as folder:
        source = export_onnx(network, normalisation, input_shape, folder / "network.onnx")
        try:
            model = openvino.Core().read_model(source)
            for index, node in enumerate(model.get_ordered_ops()):  # else named by a counter of the whole process
                if node.get_type_name() not in ("Parameter", "Result"):
                    node.set_friendly_name(f"n{index}")
            openvino.save_model(model, path, compress_to_fp16=False)
        except Exception as error:  # openvino raises RuntimeError for everything
            raise ExportError(
                f"OpenVINO does not take the network: {str(error).strip()[:300]} Write `onnx`."
            ) from error
    return path


def answers(path: Path, x: np.ndarray) -> np.ndarray:
    """(N, C, H, W) float32 raw pixels -> (N, classes) float32, in float32 arithmetic. Raises: ExportError."""
    openvino = _openvino()
    try:
        compiled = openvino.Core().compile_model(path, "CPU", SETTINGS)
        return np.concatenate([compiled(image[None])[0].copy() for image in x.astype(np.float32)])
    except Exception as error:
        raise ExportError(f"OpenVINO cannot run {path}: {str(error).strip()[:300]} Export it again.") from error


def _openvino() -> Any:
    try:
        import openvino
    except ImportError as error:
        raise ExportError(
            "the format openvino needs OpenVINO, which is not installed. Run: pip install 'lathe[openvino]'"
        ) from error
    return openvino


EXPORTERS.register("openvino")(Exporter(export_openvino, answers, ".xml", 1e-4))
