"""Mixture of experts, densely evaluated. Source: Shazeer et al. 2017, arXiv:1701.06538; soft gates without routing.

Differs: every expert runs and the gates weigh their outputs, because a loop over the experts an input selects does not
export with static shapes. MACs and latency therefore count all experts: it is what the file will execute.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor, nn

from spaces.blocks.block import BLOCKS, check_kernel, check_positive
from spaces.layers import ACTIVATIONS, depthwise, pointwise, start_at_zero


@BLOCKS.register("moe")
@dataclass(frozen=True)
class MoE:
    """x + sum_e gate_e(y) expert_e(y), with y = norm(depthwise(x)) and an expert = down(act(up(y))).

    experts: prefix of the experts of the largest; the gates are a softmax over those present. ratio: hidden channels of
    each expert a channel. gate: `image` weighs the experts once an image (Yang et al. 2019, arXiv:1904.04971),
    `token` at every position.
    """

    experts: int = 2
    ratio: float = 1
    kernel: int = 3
    gate: str = "image"
    act: str = "relu6"
    kind: ClassVar[str] = "moe"
    separate: ClassVar[tuple[str, ...]] = ()
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {"act": tuple(ACTIVATIONS), "gate": ("image", "token")}

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_positive(experts=self.experts, ratio=self.ratio)

    def build(self, width: int) -> nn.Module:
        return MoELayers(width, self.experts, self.units(width)["hidden"], self.kernel, self.gate, self.act)

    def units(self, width: int) -> dict[str, int]:
        return {"experts": self.experts, "hidden": round(width * self.ratio)}

    def resized(self, width: int, dimension: str, units: int) -> "MoE":
        return replace(self, experts=units) if dimension == "experts" else replace(self, ratio=units / width)


class Expert(nn.Module):
    """down(act(up(x))), 1 x 1 convolutions."""

    def __init__(self, width: int, hidden: int, act: str) -> None:
        super().__init__()
        self.up = pointwise(width, hidden, bias=True)
        self.act = ACTIVATIONS[act]()
        self.down = start_at_zero(pointwise(hidden, width, bias=True))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return self.down(self.act(self.up(x)))


class MoELayers(nn.Module):
    """The layers of one MoE block."""

    def __init__(self, width: int, experts: int, hidden: int, kernel: int, gate: str, act: str) -> None:
        super().__init__()
        self.gate = gate
        self.mix = nn.Sequential(OrderedDict(depthwise=depthwise(width, kernel), norm=nn.BatchNorm2d(width)))
        self.router = pointwise(width, experts, bias=True)
        self.experts = nn.ModuleList(Expert(width, hidden, act) for _ in range(experts))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        y = self.mix(x)
        seen = y.mean((2, 3), keepdim=True) if self.gate == "image" else y
        gates = self.router(seen).softmax(1)  # (N, experts, 1, 1) or (N, experts, H, W)
        for index, expert in enumerate(self.experts):
            x = x + gates[:, index : index + 1] * expert(y)
        return x
