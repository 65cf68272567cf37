"""From a network to a file a device runs: one file a format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spaces.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

Normalisation = tuple[tuple[float, ...], tuple[float, ...]]  # (mean, std), one number a channel, in raw pixels


class ExportError(RuntimeError):
    """A network that cannot be written, or a written file that cannot be run; the message names the remedy."""


@dataclass(frozen=True)
class Exporter:
    """A format: how a network is written in it, and how a file of it answers in its own runtime.

    write: (network, normalisation, input_shape, path) -> path, with the normalisation inside; `network` is not changed
    and equal networks give equal bytes. The file's input is (1, C, H, W) float32 raw pixels, its output (1, classes)
    logits. answers: (path, (N, C, H, W) raw pixels) -> (N, classes). suffix: of the file's name. tolerance: how far an
    answer may be from torch's, as a part of the largest logit. write_module: (network, input_shape, path) -> path,
    the same for a network in its simplest form as it stands (see `formats.py`), where the format is one that an engine
    runs beside ONNX. latency_ms: path -> of one evaluation in its runtime here, where no device measures it. All
    functions raise ExportError.
    """

    write: Callable[[nn.Module, Normalisation, tuple[int, ...], Path], Path]
    answers: Callable[[Path, np.ndarray], np.ndarray]
    suffix: str
    tolerance: float
    write_module: Callable[[nn.Module, tuple[int, ...], Path], Path] | None = None
    latency_ms: Callable[[Path], float] | None = None

    def __call__(
        self, network: nn.Module, normalisation: Normalisation, input_shape: tuple[int, ...], path: Path
    ) -> Path:
        """`write`."""
        return self.write(network, normalisation, input_shape, path)


EXPORTERS: Registry[Exporter] = Registry("exporter", "lathe.exporters")

import compress.export.fp16  # noqa: E402  (these register themselves in EXPORTERS)
import compress.export.litert  # noqa: E402
import compress.export.onnx  # noqa: E402
import compress.export.openvino  # noqa: E402
import compress.export.pt2  # noqa: E402
import compress.export.pte  # noqa: E402, F401
