"""A variant's file in the formats of engines that read no ONNX, and which of its files a measurement is of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from compress.export import ExportError
from compress.export.formats import ONNX, beside, file_read_by, others, write_beside
from compress.export.normalised import Normalised, exportable
from compress.onnx_file import OnnxFile
from compress.quantize import QuantizeError
from compress.runner.engines import ENGINES, engine

if TYPE_CHECKING:
    from compress.context import Context
    from compress.measurement import Measurement
    from compress.variant import Variant

PTE = "pte"


def write_others(variant: Variant, context: Context, path: Path) -> None:
    """Write what the context's `formats` ask for beside the variant's ONNX file at `path`.

    Where ONNX is one of them, so that another engine can run the variant, a format that does not take it is left out.
    Raises: ExportError, QuantizeError: where no other engine can.
    """
    for name in others(context.formats):
        try:
            _write(variant, context, path, name)
        except (ExportError, QuantizeError):
            if ONNX not in context.formats:
                raise


def _write(variant: Variant, context: Context, path: Path, name: str) -> None:
    if isinstance(variant.network, OnnxFile):
        raise ExportError(
            f"of this model there is only an ONNX file; the format {name} is made from a PyTorch network."
        )
    data = context.data
    if variant.quantization is None:
        write_beside(_whole(variant.network, context), data.input_shape, path, [name])
    elif name == PTE:
        from compress.export.pte import write_pte

        write_pte(int8_network(variant, context), data.input_shape, beside(path, name))
    else:
        raise QuantizeError(
            f"the format {name} has no int8 form that its engine is fast in: measure it in ONNX Runtime."
        )


def int8_network(variant: Variant, context: Context) -> nn.Module:
    """The variant in XNNPACK's integers as torch computes them, made once. Raises: QuantizeError."""
    from compress.quantize.xnnpack import xnnpack_simulated

    quantization = variant.quantization
    assert quantization is not None
    key = id(variant.network), (PTE, quantization)
    if key not in context.simulations:
        images = torch.from_numpy(quantization.calibration(context))
        made = xnnpack_simulated(_whole(variant.network, context), images, quantization.scheme)
        context.simulations[key] = variant.network, made
    return context.simulations[key][1]


def expected_int8(variant: Variant, context: Context, x: np.ndarray) -> np.ndarray:
    """What the int8 program should answer to `x`, (n, C, H, W) raw pixels: (n, classes)."""
    network: Any = int8_network(variant, context)
    with torch.no_grad():
        return torch.cat([network(image) for image in torch.from_numpy(x).float().split(1)]).numpy()


def what_ran(path: Path, found: Measurement) -> Path:
    """The file that a measurement of the network at `path` is of: what its engine reads."""
    name = str(found.details.get("engine", "")).partition(" or ")[0]
    ran = file_read_by(path, engine(name).READS) if name in ENGINES else None
    return ran or path


def _whole(network: nn.Module, context: Context) -> Normalised:
    data = context.data
    return exportable(network, (data.mean, data.std), data.input_shape)
