"""Attention as one large convolution. Source: Li et al. 2024, arXiv:2401.05738 (LKCA)."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor, nn

from spaces.blocks.block import BLOCKS, check_kernel, check_positive
from spaces.layers import ACTIVATIONS, depthwise, feed_forward, pointwise, start_at_zero


@BLOCKS.register("lkca")
@dataclass(frozen=True)
class LKCA:
    """x + project(mix(value(norm(x)))), then x + mlp(x): a ViT block in which the weight that a position gives another
    is learned and depends on the distance between them alone.

    kernel: odd, taps of the depthwise convolution that stands for the attention matrix; 2 n - 1 see all of n
    positions. channels: of the values, a channel. ratio: hidden channels of the MLP a channel. Differs: a kernel a
    channel, as many heads as channels; BatchNorm.
    """

    kernel: int = 13
    channels: float = 1
    ratio: float = 2
    act: str = "gelu"
    kind: ClassVar[str] = "lkca"
    separate: ClassVar[tuple[str, ...]] = ()
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {"act": tuple(ACTIVATIONS)}

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_positive(channels=self.channels, ratio=self.ratio)

    def build(self, width: int) -> nn.Module:
        return LKCALayers(width, self.units(width), self.kernel, self.act)

    def units(self, width: int) -> dict[str, int]:
        return {"channels": round(width * self.channels), "hidden": round(width * self.ratio)}

    def resized(self, width: int, dimension: str, units: int) -> "LKCA":
        return replace(self, **{"channels" if dimension == "channels" else "ratio": units / width})


class LKCALayers(nn.Module):
    """The layers of one LKCA block."""

    def __init__(self, width: int, units: dict[str, int], kernel: int, act: str) -> None:
        super().__init__()
        channels = units["channels"]
        self.attend = nn.Sequential(
            OrderedDict(
                norm=nn.BatchNorm2d(width),
                value=pointwise(width, channels, bias=True),
                mix=depthwise(channels, kernel),
                project=start_at_zero(pointwise(channels, width, bias=True)),
            )
        )
        self.mlp = feed_forward(width, units["hidden"], act)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        x = x + self.attend(x)
        return x + self.mlp(x)
