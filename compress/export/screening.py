"""A fast export where only an estimate of the latency is wanted: torch's older TorchScript route."""

from __future__ import annotations

import copy
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from compress.export import ExportError, Normalisation
from compress.export.formats import ONNX, write_beside
from compress.export.quiet import quiet

if TYPE_CHECKING:
    from torch import nn

EXPORTER = "torchscript"  # goes into a measurement's details["exporter"]


def export_for_screening(
    network: nn.Module,
    normalisation: Normalisation,
    input_shape: tuple[int, ...],
    path: Path,
    formats: Sequence[str] = (ONNX,),
) -> Path:
    """Like the `onnx` exporter, several times faster, for screening only: never ship the file or report its numbers.

    Its latency was 0.94-1.07 times that of the `onnx` exporter's file. formats: what else to write beside it, see
    `formats.py`; those have no faster way. Raises: ExportError. Cost: 0.2-0.5 s.
    """
    from compress.export.normalised import exportable

    whole = exportable(network, normalisation, input_shape)
    write_beside(whole, input_shape, path, formats)
    return _export(whole, input_shape, path)


def export_part(part: nn.Module, input_shape: tuple[int, ...], path: Path, formats: Sequence[str] = (ONNX,)) -> Path:
    """A layer or a block as a file of its own, in its simplest form and without normalisation, to be measured.

    input_shape: without the batch. formats: as of `export_for_screening`. Raises: ExportError. Cost: 0.05-0.2 s.
    """
    from torch import nn

    from compress.export.normalised import simplify_layers
    from spaces.merge import merge

    whole = nn.Sequential(merge(copy.deepcopy(part).eval())).eval().float()
    simplify_layers(whole)
    write_beside(whole.requires_grad_(False), input_shape, path, formats)
    return _export(whole, input_shape, path)


def _export(whole: nn.Module, input_shape: tuple[int, ...], path: Path) -> Path:
    import onnx
    import torch

    from compress.export.tidy import write_tidy

    written = io.BytesIO()
    with quiet(), torch.no_grad():
        try:
            torch.onnx.export(
                whole,
                (torch.zeros(1, *input_shape),),
                written,  # type: ignore[arg-type]  (the old route writes to streams, the annotation is the new one's)
                dynamo=False,
                input_names=["input"],
                output_names=["logits"],
                opset_version=18,
                do_constant_folding=False,  # ONNX Runtime does it; see tidy.py
            )
        except Exception as error:
            first = (str(error).splitlines() or ["no message"])[0]
            raise ExportError(f"the network does not export for screening: {first} Use the `onnx` exporter.") from error
    return write_tidy(onnx.load_from_string(written.getvalue()), path)
