"""Fewer bits a number: one file a way to make an int8 file, or to train for one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from spaces.registry import Registry

if TYPE_CHECKING:
    from compress.context import Context
    from compress.quantize.step import Quantize


class QuantizeError(RuntimeError):
    """A file that cannot be quantized; the message names the remedy."""


class Quantizer(Protocol):
    """Makes an int8 file from an exported float file."""

    def __call__(self, float_path: Path, context: Context, path: Path, settings: Quantize) -> Path:
        """Write `path` and return it; equal inputs give equal bytes. Raises: QuantizeError."""
        ...


QUANTIZERS: Registry[Quantizer] = Registry("quantizer", "lathe.quantizers")

import compress.quantize.dynamic  # noqa: E402  (these register themselves in QUANTIZERS)
import compress.quantize.int4  # noqa: E402
import compress.quantize.mixed  # noqa: E402
import compress.quantize.static  # noqa: E402, F401
