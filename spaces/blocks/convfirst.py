"""Grouped convolution first, then an MLP. Source: Lavin 2024, arXiv:2404.03617 (ConvFirst)."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import nn

from spaces.blocks.block import BLOCKS, check_kernel, check_positive
from spaces.layers import ACTIVATIONS, Residual, pointwise, start_at_zero

GROUP = 8  # channels of a group, as in the source: what a tensor core multiplies at once


@BLOCKS.register("convfirst")
@dataclass(frozen=True)
class ConvFirst:
    """x + down(act(up(conv(x)))), each convolution followed by BatchNorm: the one with taps is at the narrow end.

    kernel: odd, taps of the convolution, in groups of 8 channels. ratio: hidden channels a channel. The width must be a
    multiple of 8. The source runs such a block as one kernel: a tile's wide hidden channels never leave the cache,
    since nothing but the first convolution looks beyond a position. Differs: no such kernel here, each engine fuses
    what it can; BatchNorm and ReLU6, which fold into and fuse with the convolutions of int8 files.
    """

    kernel: int = 3
    ratio: float = 4
    act: str = "relu6"
    kind: ClassVar[str] = "convfirst"
    separate: ClassVar[tuple[str, ...]] = ()
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {"act": tuple(ACTIVATIONS)}

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_positive(ratio=self.ratio)

    def build(self, width: int) -> nn.Module:
        if width % GROUP:
            raise ValueError(f"the width of a convfirst block must be a multiple of {GROUP}, got {width}.")
        hidden, padding = self.units(width)["hidden"], self.kernel // 2
        branch: OrderedDict[str, nn.Module] = OrderedDict()
        branch["conv"] = nn.Conv2d(width, width, self.kernel, padding=padding, groups=width // GROUP, bias=False)
        branch["norm"] = nn.BatchNorm2d(width)
        branch["up"] = pointwise(width, hidden)
        branch["up_norm"] = nn.BatchNorm2d(hidden)
        branch["act"] = ACTIVATIONS[self.act]()
        branch["down"] = pointwise(hidden, width)
        branch["down_norm"] = start_at_zero(nn.BatchNorm2d(width))
        return Residual(nn.Sequential(branch))

    def units(self, width: int) -> dict[str, int]:
        return {"hidden": round(width * self.ratio)}

    def resized(self, width: int, dimension: str, units: int) -> "ConvFirst":
        return replace(self, ratio=units / width)
