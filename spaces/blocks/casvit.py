"""Attention by added gates, without a matrix product. Source: Zhang et al. 2024, arXiv:2408.03703 (CAS-ViT)."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor, nn

from spaces.blocks.block import BLOCKS, check_kernel, check_positive
from spaces.layers import ACTIVATIONS, SpatialGate, SqueezeExcite, depthwise, feed_forward, pointwise, start_at_zero


@BLOCKS.register("casvit")
@dataclass(frozen=True)
class CASViT:
    """x + local(x), then x + project(mix(gated(q(y)) + gated(k(y))) * v(y)) with y = norm(x), then x + mlp(x).

    kernel: odd, taps of the depthwise convolutions of the local part and of the mixing. ratio: hidden channels of the
    MLP a channel. Every operator is a convolution or cheap, so int8 covers it. Differs: two depthwise convolutions in
    the local part instead of three; the gates in space and over channels are those of CBAM and squeeze-excitation.
    """

    kernel: int = 3
    ratio: float = 2
    act: str = "gelu"
    kind: ClassVar[str] = "casvit"
    separate: ClassVar[tuple[str, ...]] = ()
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {"act": tuple(ACTIVATIONS)}

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_positive(ratio=self.ratio)

    def build(self, width: int) -> nn.Module:
        return CASViTLayers(width, self.kernel, self.units(width)["hidden"], self.act)

    def units(self, width: int) -> dict[str, int]:
        return {"hidden": round(width * self.ratio)}

    def resized(self, width: int, dimension: str, units: int) -> "CASViT":
        return replace(self, ratio=units / width)


class CASViTLayers(nn.Module):
    """The layers of one CASViT block."""

    def __init__(self, width: int, kernel: int, hidden: int, act: str) -> None:
        super().__init__()
        self.local = nn.Sequential(
            depthwise(width, kernel), nn.BatchNorm2d(width), ACTIVATIONS[act](), start_at_zero(depthwise(width, kernel))
        )
        self.norm = nn.BatchNorm2d(width)
        self.q = gated_projection(width)
        self.k = gated_projection(width)
        self.v = pointwise(width, width, bias=True)
        self.mix = depthwise(width, kernel)
        self.project = start_at_zero(pointwise(width, width, bias=True))
        self.mlp = feed_forward(width, hidden, act)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        x = x + self.local(x)
        y = self.norm(x)
        x = x + self.project(self.mix(self.q(y) + self.k(y)) * self.v(y))
        return x + self.mlp(x)


def gated_projection(width: int) -> nn.Sequential:
    """1 x 1, then a gate over positions and one over channels."""
    return nn.Sequential(
        OrderedDict(project=pointwise(width, width, bias=True), spatial=SpatialGate(), channels=SqueezeExcite(width))
    )
