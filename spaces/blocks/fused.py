"""Fused inverted residual: one full convolution expands and mixes. Source: Tan and Le 2021, arXiv:2104.00298."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import nn

from spaces.blocks.block import BLOCKS, check_kernel, check_positive
from spaces.layers import ACTIVATIONS, Residual, SpatialGate, SqueezeExcite, convolution, pointwise, start_at_zero


@BLOCKS.register("fused")
@dataclass(frozen=True)
class Fused:
    """x + project(gates(act(expand(x)))), both convolutions followed by BatchNorm.

    More arithmetic than `mbconv` and fewer, larger operators: faster where memory or launches are what costs. kernel:
    odd, taps of the expanding convolution. expand: hidden channels a channel. se, spatial: the gates of SE and of CBAM.
    """

    kernel: int = 3
    expand: float = 2
    se: bool = False
    spatial: bool = False
    act: str = "relu6"
    kind: ClassVar[str] = "fused"
    separate: ClassVar[tuple[str, ...]] = ()
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {"act": tuple(ACTIVATIONS)}

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_positive(expand=self.expand)

    def build(self, width: int) -> nn.Module:
        hidden = self.units(width)["hidden"]
        branch: OrderedDict[str, nn.Module] = OrderedDict()
        branch["expand"] = convolution(width, hidden, self.kernel)
        branch["expand_norm"] = nn.BatchNorm2d(hidden)
        branch["expand_act"] = ACTIVATIONS[self.act]()
        if self.se:
            branch["se"] = SqueezeExcite(hidden)
        if self.spatial:
            branch["spatial"] = SpatialGate()
        branch["project"] = pointwise(hidden, width)
        branch["project_norm"] = start_at_zero(nn.BatchNorm2d(width))
        return Residual(nn.Sequential(branch))

    def units(self, width: int) -> dict[str, int]:
        return {"hidden": round(width * self.expand)}

    def resized(self, width: int, dimension: str, units: int) -> "Fused":
        return replace(self, expand=units / width)
