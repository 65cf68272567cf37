"""int8-static: every convolution and product in int8, activation ranges fixed beforehand from training images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from compress.quantize import QUANTIZERS
from compress.quantize.int8 import Int8Static, quantize_static

if TYPE_CHECKING:
    from compress.context import Context
    from compress.quantize.step import Quantize


@QUANTIZERS.register("int8-static")
def static(float_path: Path, context: Context, path: Path, settings: Quantize) -> Path:
    """Calibrate on `images` training images and quantize all. Raises: QuantizeError. Cost: 0.1-1.8 s."""
    return quantize_static(float_path, context.calibration(settings.images), path, Int8Static(settings.method))
