"""ONNX files through torch's dynamo exporter: what is shipped and finally measured."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress.export import EXPORTERS, Exporter, ExportError, Normalisation
from compress.export.quiet import quiet
from compress.export.session import logits

if TYPE_CHECKING:
    import onnx
    from torch import nn

OPSET = 20


def export_onnx(network: nn.Module, normalisation: Normalisation, input_shape: tuple[int, ...], path: Path) -> Path:
    """Write `network` as an ONNX file; its contract is `Exporter`'s.

    Raises: ExportError: with the operator that has no ONNX form, or the file that cannot be written.
    Cost: 1-2 s a network, and about 5 s more for the first one of a process.
    """
    from compress.export.normalised import exportable
    from compress.export.tidy import write_tidy

    return write_tidy(trace(exportable(network, normalisation, input_shape), input_shape), path)


EXPORTERS.register("onnx")(Exporter(export_onnx, logits, ".onnx", 1e-4))


def trace(whole: nn.Module, input_shape: tuple[int, ...]) -> onnx.ModelProto:
    """The graph of an `exportable` network before it is simplified: initializers carry the names of its tensors.

    Raises: ExportError. Cost: nearly all of an export's.
    """
    import torch

    x = torch.zeros(1, *input_shape)
    with quiet(), torch.no_grad(), _one_registry():
        try:
            program = torch.onnx.export(
                whole,
                (x,),
                dynamo=True,
                input_names=["input"],
                output_names=["logits"],
                opset_version=OPSET,
                optimize=False,  # ONNX Runtime folds the same constants in a tenth of the time; see tidy.py
                verbose=False,
            )
            assert program is not None
            return program.model_proto
        except Exception as error:
            raise ExportError(_explain(error)) from error


def _explain(error: BaseException) -> str:
    """The innermost cause in one line: torch puts pages of advice around it."""
    while error.__cause__ is not None:
        error = error.__cause__
    first = next((line for line in str(error).splitlines() if line.strip()), "no message")
    return (
        f"the network does not export to ONNX: {type(error).__name__}: {first[:300]} "
        "Build the block from layers with static shapes that torch.onnx.export knows."
    )


@contextlib.contextmanager
def _one_registry() -> Iterator[None]:
    """Let torch reuse its table of operators: building it anew takes half of the time of an export.

    The name is private to torch; where it is missing, exports are only slower.
    """
    try:
        from torch.onnx._internal.exporter._registration import ONNXRegistry

        original = ONNXRegistry.__dict__["from_torchlib"]
    except (ImportError, KeyError):
        yield
        return
    ONNXRegistry.from_torchlib = classmethod(_registry(original.__func__))  # type: ignore[method-assign]
    try:
        yield
    finally:
        ONNXRegistry.from_torchlib = original


@functools.cache
def forget_operators() -> None:
    """Have torch build its table of operators anew, once: one made before torchao was imported lacks torchao's."""
    _registry.cache_clear()


@functools.cache
def _registry(make: Any) -> Any:
    """`make` (of a class and an opset) with its results kept."""
    return functools.cache(make)
