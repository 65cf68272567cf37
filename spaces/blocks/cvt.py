"""Attention whose projections are convolutions. Source: Wu et al. 2021, arXiv:2103.15808 (CvT)."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor, nn

from spaces.blocks.block import BLOCKS, check_kernel, check_positive
from spaces.layers import ACTIVATIONS, attend, depthwise, feed_forward, pointwise, start_at_zero


@BLOCKS.register("cvt")
@dataclass(frozen=True)
class CvT:
    """x + project(attend(query(x), key(x), value(x))), then x + mlp(x); each of the three is depthwise, norm, 1 x 1.

    heads: prefix of the heads of the largest. head_dim: channels a head (shares no weights). kernel: odd, taps of the
    depthwise convolutions. reduce: stride of keys and values, so that attention costs reduce^2 times less. ratio:
    hidden channels of the MLP a channel. Differs: BatchNorm throughout; no class token, the head pools.
    """

    heads: int = 2
    head_dim: int = 16
    kernel: int = 3
    reduce: int = 2
    ratio: float = 2
    act: str = "gelu"
    kind: ClassVar[str] = "cvt"
    separate: ClassVar[tuple[str, ...]] = ("head_dim",)
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {"act": tuple(ACTIVATIONS)}

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_positive(heads=self.heads, head_dim=self.head_dim, reduce=self.reduce, ratio=self.ratio)

    def build(self, width: int) -> nn.Module:
        return CvTLayers(width, self, self.units(width)["hidden"])

    def units(self, width: int) -> dict[str, int]:
        return {"heads": self.heads, "hidden": round(width * self.ratio)}

    def resized(self, width: int, dimension: str, units: int) -> "CvT":
        return replace(self, heads=units) if dimension == "heads" else replace(self, ratio=units / width)


class CvTLayers(nn.Module):
    """The layers of one CvT block."""

    def __init__(self, width: int, config: CvT, hidden: int) -> None:
        super().__init__()
        inner = config.heads * config.head_dim
        self.head_dim = config.head_dim
        self.query = convolutional_projection(width, inner, config.kernel, 1)
        self.key = convolutional_projection(width, inner, config.kernel, config.reduce)
        self.value = convolutional_projection(width, inner, config.kernel, config.reduce)
        self.project = start_at_zero(pointwise(inner, width, bias=True))
        self.mlp = feed_forward(width, hidden, config.act)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        x = x + self.project(attend(self.query(x), self.key(x), self.value(x), self.head_dim))
        return x + self.mlp(x)


def convolutional_projection(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    """Depthwise convolution, BatchNorm, 1 x 1."""
    return nn.Sequential(
        OrderedDict(
            depthwise=depthwise(inputs, kernel, stride),
            norm=nn.BatchNorm2d(inputs),
            project=pointwise(inputs, outputs, bias=True),
        )
    )
