"""Focal modulation: gathered context scales each position. Source: Yang et al. 2022, arXiv:2203.11926 (FocalNet)."""

from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor, nn

from spaces.blocks.block import BLOCKS, check_kernel, check_positive
from spaces.layers import ACTIVATIONS, depthwise, feed_forward, pointwise, start_at_zero


@BLOCKS.register("focal")
@dataclass(frozen=True)
class Focal:
    """x + project(query(y) * modulate(context(y))) with y = norm(x), then x + mlp(x).

    levels: prefix of the depthwise convolutions that widen the context one after another, with kernel, kernel + 2, ...
    taps; every position weighs them by gates, together with the mean of the image. ratio: hidden channels of the MLP a
    channel. Differs: the gate of the mean is the first one, so that fewer levels are a prefix; BatchNorm.
    """

    levels: int = 2
    kernel: int = 3
    ratio: float = 2
    act: str = "gelu"
    kind: ClassVar[str] = "focal"
    separate: ClassVar[tuple[str, ...]] = ()
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {"act": tuple(ACTIVATIONS)}

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_positive(levels=self.levels, ratio=self.ratio)

    def build(self, width: int) -> nn.Module:
        return FocalLayers(width, self.levels, self.kernel, self.units(width)["hidden"], self.act)

    def units(self, width: int) -> dict[str, int]:
        return {"hidden": round(width * self.ratio)}

    def resized(self, width: int, dimension: str, units: int) -> "Focal":
        return replace(self, ratio=units / width)


class FocalLayers(nn.Module):
    """The layers of one Focal block."""

    def __init__(self, width: int, levels: int, kernel: int, hidden: int, act: str) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(width)
        self.query = pointwise(width, width, bias=True)
        self.context = pointwise(width, width, bias=True)
        self.gates = pointwise(width, 1 + levels, bias=True)
        self.levels = nn.ModuleList(depthwise(width, kernel + 2 * level) for level in range(levels))
        self.act = ACTIVATIONS[act]()
        self.modulate = pointwise(width, width, bias=True)
        self.project = start_at_zero(pointwise(width, width, bias=True))
        self.mlp = feed_forward(width, hidden, act)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        y = self.norm(x)
        query, context, gates = self.query(y), self.context(y), self.gates(y)
        gathered = 0
        for index, level in enumerate(self.levels, start=1):
            context = self.act(level(context))
            gathered = gathered + context * gates[:, index : index + 1]
        gathered = gathered + self.act(context.mean((2, 3), keepdim=True)) * gates[:, :1]
        x = x + self.project(query * self.modulate(gathered))
        return x + self.mlp(x)
