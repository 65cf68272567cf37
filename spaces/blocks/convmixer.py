"""Mix positions, then channels, and nothing else. Source: Trockman and Kolter 2022, arXiv:2201.09792 (ConvMixer)."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from spaces.blocks.block import BLOCKS, check_kernel
from spaces.layers import ACTIVATIONS, Residual, depthwise, pointwise, start_at_zero


@BLOCKS.register("convmixer")
@dataclass(frozen=True)
class ConvMixer:
    """y = x + norm(act(depthwise(x))), then y + norm(act(pointwise(y))).

    kernel: odd, taps of the depthwise convolution. Differs: the second half is a residual branch too, so that a fresh
    block is the identity. It has no dimension of its own: pruning shortens it with the width of its stage.
    """

    kernel: int = 5
    act: str = "gelu"
    kind: ClassVar[str] = "convmixer"
    separate: ClassVar[tuple[str, ...]] = ()
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {"act": tuple(ACTIVATIONS)}

    def __post_init__(self) -> None:
        check_kernel(self.kernel)

    def build(self, width: int) -> nn.Module:
        halves = {"positions": depthwise(width, self.kernel), "channels": pointwise(width, width)}
        return nn.Sequential(OrderedDict((name, self._branch(layer, width)) for name, layer in halves.items()))

    def _branch(self, layer: nn.Module, width: int) -> nn.Module:
        norm = start_at_zero(nn.BatchNorm2d(width))
        return Residual(nn.Sequential(OrderedDict(mix=layer, act=ACTIVATIONS[self.act](), norm=norm)))

    def units(self, width: int) -> dict[str, int]:
        return {}

    def resized(self, width: int, dimension: str, units: int) -> "ConvMixer":
        raise ValueError(f"a ConvMixer block has no dimension {dimension!r}.")
