"""Gated convolutions, each gating a wider one. Source: Rao et al. 2022, arXiv:2207.14284 (HorNet, g^n Conv)."""

from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor, nn

from spaces.blocks.block import BLOCKS, check_kernel, check_positive
from spaces.layers import ACTIVATIONS, depthwise, feed_forward, pointwise, start_at_zero


@BLOCKS.register("hornet")
@dataclass(frozen=True)
class HorNet:
    """y = x + project(gated(norm(x))), then y + mlp(y).

    The gated part multiplies `order` depthwise convolutions, of width / 2^(order - 1) up to width channels, each with
    the product so far. order shares no weights: another one starts from another width. kernel: odd, taps of the
    depthwise convolutions. ratio: hidden channels of the MLP a channel. Differs: separate layers for every factor
    instead of one that is split; BatchNorm; no layer scale.
    """

    order: int = 3
    kernel: int = 7
    ratio: float = 2
    act: str = "gelu"
    kind: ClassVar[str] = "hornet"
    separate: ClassVar[tuple[str, ...]] = ("order",)
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {"act": tuple(ACTIVATIONS)}

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_positive(order=self.order, ratio=self.ratio)

    def build(self, width: int) -> nn.Module:
        return HorNetLayers(width, self.order, self.kernel, self.units(width)["hidden"], self.act)

    def units(self, width: int) -> dict[str, int]:
        return {"hidden": round(width * self.ratio)}

    def resized(self, width: int, dimension: str, units: int) -> "HorNet":
        return replace(self, ratio=units / width)


class Factor(nn.Module):
    """rise(product) * depthwise(enter(x))."""

    def __init__(self, width: int, inputs: int, channels: int, kernel: int) -> None:
        super().__init__()
        self.rise = pointwise(inputs, channels, bias=True)
        self.enter = pointwise(width, channels, bias=True)
        self.depthwise = depthwise(channels, kernel)

    def forward(self, product: Tensor, x: Tensor) -> Tensor:
        """(N, inputs, H, W) and (N, width, H, W) -> (N, channels, H, W)."""
        return self.rise(product) * self.depthwise(self.enter(x))


class HorNetLayers(nn.Module):
    """The layers of one HorNet block."""

    def __init__(self, width: int, order: int, kernel: int, hidden: int, act: str) -> None:
        super().__init__()
        channels = [max(1, width >> level) for level in reversed(range(order))]
        self.norm = nn.BatchNorm2d(width)
        self.factors = nn.ModuleList(
            Factor(width, before, after, kernel) for before, after in zip([width, *channels], channels, strict=False)
        )
        self.project = start_at_zero(pointwise(width, width, bias=True))
        self.mlp = feed_forward(width, hidden, act)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        product = y = self.norm(x)
        for factor in self.factors:
            product = factor(product, y)
        x = x + self.project(product)
        return x + self.mlp(x)
