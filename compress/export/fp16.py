"""ONNX files with weights and arithmetic in float16: half the bytes, for accelerators that have it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from compress.export import EXPORTERS, Exporter, ExportError, Normalisation
from compress.export.onnx import trace
from compress.export.quiet import quiet
from compress.export.session import logits

if TYPE_CHECKING:
    from torch import nn


def export_fp16(network: nn.Module, normalisation: Normalisation, input_shape: tuple[int, ...], path: Path) -> Path:
    """Write `network` in float16; input and output stay float32. Its contract is `Exporter`'s.

    On a processor it is no gain: most have no float16 arithmetic, so the runtime casts, which is slower than float32.
    Raises: ExportError. Cost: as the onnx exporter.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16

    from compress.export.normalised import exportable
    from compress.export.tidy import simplify, strip, write

    model = strip(simplify(trace(exportable(network, normalisation, input_shape), input_shape)))
    try:
        with quiet():
            half = convert_float_to_float16(model, keep_io_types=True)
    except Exception as error:
        raise ExportError(f"the network has no float16 form: {error} Write `onnx`.") from error
    return write(strip(half), path)


EXPORTERS.register("onnx-fp16")(Exporter(export_fp16, logits, ".fp16.onnx", 2e-2))
