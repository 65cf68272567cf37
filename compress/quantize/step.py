"""Post-training quantization as a step: the network stays as it is, its file gets integers."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from torch import nn

from compress.context import Context
from compress.export.session import logits
from compress.quantize import QUANTIZERS
from compress.recipe import STEPS, StepError
from compress.variant import Variant


@STEPS.register("quantize")
@dataclass(frozen=True)
class Quantize:
    """int8 weights per channel and uint8 activations (the pair that ONNX Runtime fuses), without training.

    kind: which quantizer. images: training images that the ranges of activations come from. method: how ranges are
    found, minmax or percentile. agreement, check: for `int8-mixed`, the share of `check` other training images on which
    the file has to answer as the float file does.
    """

    kind: str = "int8-static"
    images: int = 128
    method: str = "minmax"
    agreement: float = 0.99
    check: int = 256
    acts_on_file: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.kind not in QUANTIZERS.names():
            raise ValueError(f"`kind` must be one of {', '.join(QUANTIZERS.names())}, got {self.kind!r}.")
        for name in ("images", "check"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1, got {getattr(self, name)}.")
        if self.method not in ("minmax", "percentile"):
            raise ValueError(f"`method` must be minmax or percentile, got {self.method!r}.")
        if not 0 < self.agreement <= 1:
            raise ValueError(f"`agreement` must be in (0, 1], got {self.agreement}. Write 0.99 for 99 of 100 images.")

    def __call__(self, variant: Variant, context: Context) -> Variant:
        if variant.precision == "int8":
            raise StepError("this variant is int8 already: write quantize once in `compress.steps`.")
        return replace(variant, precision="int8", quantization=self)

    @property
    def scheme(self) -> str:
        """As `Quantization` asks for."""
        return {"int8-static": "static", "int8-dynamic": "dynamic"}.get(self.kind, "")

    def calibration(self, context: Context) -> np.ndarray:
        """As `Quantization` asks for."""
        return context.calibration(self.images)

    def write(self, network: nn.Module, float_path: Path, context: Context, path: Path) -> Path:
        """The int8 file of the exported float file, as `Quantization` asks for. Raises: QuantizeError."""
        return QUANTIZERS.get(self.kind)(float_path, context, path, self)

    def expected(self, network: nn.Module, context: Context, path: Path, x: np.ndarray) -> np.ndarray:
        """The answers of the file's own graph in float arithmetic, as `Quantization` asks for. Raises: ExportError."""
        return logits(path, x, rewritten=False)
