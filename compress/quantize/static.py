"""Post-training quantization to int8 with calibrated activations, as a step."""

from dataclasses import dataclass, replace

from compress.context import Context
from compress.recipe import STEPS, StepError
from compress.variant import Variant


@STEPS.register("quantize")
@dataclass(frozen=True)
class Quantize:
    """int8 weights per channel, uint8 activations, calibrated on training images (unsigned activations with signed
    weights are what ONNX Runtime fuses). kind: only `int8-static` so far. images: how many. method: how ranges are
    found.
    """

    kind: str = "int8-static"
    images: int = 128
    method: str = "minmax"

    def __post_init__(self) -> None:
        if self.kind != "int8-static":
            raise ValueError(f"`kind` must be 'int8-static', got {self.kind!r}.")
        if self.images < 1:
            raise ValueError(f"`images` must be at least 1, got {self.images}.")
        if self.method not in ("minmax", "percentile"):
            raise ValueError(f"`method` must be minmax or percentile, got {self.method!r}.")

    def __call__(self, variant: Variant, context: Context) -> Variant:
        if variant.precision == "int8":
            raise StepError("this variant is int8 already: write quantize once in `compress.steps`.")
        return replace(variant, precision="int8", quantization=self)
