"""Large depthwise kernel, then an MLP at every position. Source: Liu et al. 2022, arXiv:2201.03545 (ConvNeXt)."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import nn

from spaces.blocks.block import BLOCKS, check_kernel, check_positive
from spaces.layers import ACTIVATIONS, Residual, depthwise, feed_forward


@BLOCKS.register("convnext")
@dataclass(frozen=True)
class ConvNeXt:
    """x + down(act(up(norm(depthwise(x))))).

    kernel: odd, taps of the depthwise convolution. ratio: hidden channels a channel. Differs: BatchNorm instead of
    LayerNorm, which folds into the depthwise convolution; no layer scale, the branch starts at zero instead.
    """

    kernel: int = 7
    ratio: float = 4
    act: str = "gelu"
    kind: ClassVar[str] = "convnext"
    separate: ClassVar[tuple[str, ...]] = ()
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {"act": tuple(ACTIVATIONS)}

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_positive(ratio=self.ratio)

    def build(self, width: int) -> nn.Module:
        mlp = feed_forward(width, self.units(width)["hidden"], self.act)
        return Residual(
            nn.Sequential(OrderedDict(depthwise=depthwise(width, self.kernel), **dict(mlp.named_children())))
        )

    def units(self, width: int) -> dict[str, int]:
        return {"hidden": round(width * self.ratio)}

    def resized(self, width: int, dimension: str, units: int) -> "ConvNeXt":
        return replace(self, ratio=units / width)
