"""Attention between channels instead of positions. Source: El-Nouby et al. 2021, arXiv:2106.09681 (XCiT)."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from spaces.blocks.block import BLOCKS, check_kernel, check_positive
from spaces.layers import ACTIVATIONS, depthwise, feed_forward, pointwise, start_at_zero


@BLOCKS.register("xcit")
@dataclass(frozen=True)
class XCiT:
    """x + attend(norm(x)), then x + local(x), then x + mlp(x); the cost grows with positions, not with their square.

    heads: prefix of the heads of the largest. head_dim: channels a head, which attend to each other (shares no
    weights). kernel: odd, taps of both depthwise convolutions of the local part. ratio: hidden channels of
    the MLP a channel. Differs: BatchNorm instead of LayerNorm, no layer scale, no positions beside the local part.
    """

    heads: int = 2
    head_dim: int = 16
    kernel: int = 3
    ratio: float = 2
    act: str = "gelu"
    kind: ClassVar[str] = "xcit"
    separate: ClassVar[tuple[str, ...]] = ("head_dim",)
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {"act": tuple(ACTIVATIONS)}

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_positive(heads=self.heads, head_dim=self.head_dim, ratio=self.ratio)

    def build(self, width: int) -> nn.Module:
        return XCiTLayers(width, self.heads, self.head_dim, self.kernel, self.units(width)["hidden"], self.act)

    def units(self, width: int) -> dict[str, int]:
        return {"heads": self.heads, "hidden": round(width * self.ratio)}

    def resized(self, width: int, dimension: str, units: int) -> "XCiT":
        return replace(self, heads=units) if dimension == "heads" else replace(self, ratio=units / width)


class XCiTLayers(nn.Module):
    """The layers of one XCiT block."""

    def __init__(self, width: int, heads: int, head_dim: int, kernel: int, hidden: int, act: str) -> None:
        super().__init__()
        self.head_dim = head_dim
        self.norm = nn.BatchNorm2d(width)
        self.q = pointwise(width, heads * head_dim, bias=True)
        self.k = pointwise(width, heads * head_dim, bias=True)
        self.v = pointwise(width, heads * head_dim, bias=True)
        self.temperature = nn.Parameter(nn.init.ones_(torch.empty(heads)))
        self.project = start_at_zero(pointwise(heads * head_dim, width, bias=True))
        self.local = nn.Sequential(
            depthwise(width, kernel), nn.BatchNorm2d(width), ACTIVATIONS[act](), start_at_zero(depthwise(width, kernel))
        )
        self.mlp = feed_forward(width, hidden, act)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        y = self.norm(x)
        q, k, v = (self._heads(layer(y)) for layer in (self.q, self.k, self.v))  # (N, heads, head_dim, H W)
        scores = normalize(q, dim=3) @ normalize(k, dim=3).transpose(2, 3) * self.temperature[:, None, None]
        attended = scores.softmax(3) @ v
        x = x + self.project(attended.flatten(1, 2).unflatten(2, x.shape[2:]))
        x = x + self.local(x)
        return x + self.mlp(x)

    def _heads(self, x: Tensor) -> Tensor:
        return x.flatten(2).unflatten(1, (-1, self.head_dim))
