"""Kolmogorov-Arnold block with group-rational activations. Source: Yang and Wang 2024, arXiv:2409.10594 (GR-KAN)."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import nn

from kernels.rational import IDENTITY, SILU
from spaces.blocks.block import BLOCKS, check_kernel, check_positive
from spaces.blocks.convnext import ConvNeXt
from spaces.layers import RATIONAL_GROUP, Rational, Residual, depthwise, pointwise, start_at_zero


@BLOCKS.register("kan")
@dataclass(frozen=True)
class KAN:
    """x + down(rational(up(rational(norm(depthwise(x)))))).

    ratio: hidden channels a channel; width and hidden channels must be multiples of 8 (a rational function's group).
    Layer order and starts (identity, then SiLU) as in the source. Differs: a depthwise convolution in front mixes
    positions, so that the block stands beside the others; each group has its own numerator.
    """

    kernel: int = 3
    ratio: float = 2
    kind: ClassVar[str] = "kan"
    separate: ClassVar[tuple[str, ...]] = ()
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {}

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_positive(ratio=self.ratio)

    def build(self, width: int) -> nn.Module:
        hidden = RATIONAL_GROUP * self.units(width)["groups"]
        branch: OrderedDict[str, nn.Module] = OrderedDict()
        branch["depthwise"] = depthwise(width, self.kernel)
        branch["norm"] = nn.BatchNorm2d(width)
        branch["inner"] = Rational(width, IDENTITY)
        branch["up"] = pointwise(width, hidden, bias=True)
        branch["outer"] = Rational(hidden, SILU)
        branch["down"] = start_at_zero(pointwise(hidden, width, bias=True))
        return Residual(nn.Sequential(branch))

    def units(self, width: int) -> dict[str, int]:
        return {"groups": max(1, round(width * self.ratio / RATIONAL_GROUP))}

    def resized(self, width: int, dimension: str, units: int) -> "KAN":
        return replace(self, ratio=units * RATIONAL_GROUP / width)

    def twin(self, scale: float) -> ConvNeXt:
        return ConvNeXt(self.kernel, self.ratio * scale, act="silu")
