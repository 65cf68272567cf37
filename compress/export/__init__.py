"""From a network to a file a device runs: one file a format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from spaces.registry import Registry

if TYPE_CHECKING:
    from torch import nn

Normalisation = tuple[tuple[float, ...], tuple[float, ...]]  # (mean, std), one number a channel, in raw pixels


class ExportError(RuntimeError):
    """A network that cannot be written, or a written file that cannot be run; the message names the remedy."""


class Exporter(Protocol):
    """Writes one network as one file with the normalisation inside."""

    def __call__(
        self, network: nn.Module, normalisation: Normalisation, input_shape: tuple[int, int, int], path: Path
    ) -> Path:
        """Write `path` and return it; equal networks give equal bytes, and `network` is not changed.

        The file's input is (1, C, H, W) float32 raw pixels, its output (1, classes) logits. Raises: ExportError.
        """
        ...


EXPORTERS: Registry[Exporter] = Registry("exporter", "lathe.exporters")

import compress.export.onnx  # noqa: E402, F401  (registers itself in EXPORTERS)
