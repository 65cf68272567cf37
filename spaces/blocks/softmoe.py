"""Mixture of experts over mixed positions. Source: Puigcerver et al. 2023, arXiv:2308.00951 (Soft MoE)."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from spaces.blocks.block import BLOCKS, check_kernel, check_positive
from spaces.layers import ACTIVATIONS, depthwise, start_at_zero


@BLOCKS.register("softmoe")
@dataclass(frozen=True)
class SoftMoE:
    """x + combine(experts(dispatch(y))) with y = norm(depthwise(x)).

    Every expert computes on a few slots, each a weighted mean of all positions, and every position takes a weighted
    mean of all slots: nothing is dropped, shapes are static, and experts cost by their slots, not by positions.
    experts: prefix of the experts of the largest. slots: an expert's, a prefix too. ratio: hidden
    channels of each expert a channel. Differs: BatchNorm instead of normalised directions in front of the router.
    """

    experts: int = 2
    slots: int = 4
    ratio: float = 2
    kernel: int = 3
    act: str = "gelu"
    kind: ClassVar[str] = "softmoe"
    separate: ClassVar[tuple[str, ...]] = ()
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {"act": tuple(ACTIVATIONS)}

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_positive(experts=self.experts, slots=self.slots, ratio=self.ratio)

    def build(self, width: int) -> nn.Module:
        return SoftMoELayers(width, self, self.units(width)["hidden"])

    def units(self, width: int) -> dict[str, int]:
        return {"experts": self.experts, "hidden": round(width * self.ratio)}

    def resized(self, width: int, dimension: str, units: int) -> "SoftMoE":
        return replace(self, experts=units) if dimension == "experts" else replace(self, ratio=units / width)


class SlotExpert(nn.Module):
    """An MLP, and the router to its slots."""

    def __init__(self, width: int, slots: int, hidden: int, act: str) -> None:
        super().__init__()
        self.router = nn.Linear(width, slots)
        self.up = nn.Linear(width, hidden)
        self.act = ACTIVATIONS[act]()
        self.down = start_at_zero(nn.Linear(hidden, width))

    def forward(self, slots: Tensor) -> Tensor:
        """(N, slots, C) -> (N, slots, C)."""
        return self.down(self.act(self.up(slots)))


class SoftMoELayers(nn.Module):
    """The layers of one SoftMoE block."""

    def __init__(self, width: int, config: SoftMoE, hidden: int) -> None:
        super().__init__()
        self.mix = nn.Sequential(OrderedDict(depthwise=depthwise(width, config.kernel), norm=nn.BatchNorm2d(width)))
        self.experts = nn.ModuleList(SlotExpert(width, config.slots, hidden, config.act) for _ in range(config.experts))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        tokens = self.mix(x).flatten(2).transpose(1, 2)  # (N, H W, C)
        experts: Any = self.experts
        scores = [expert.router(tokens) for expert in experts]  # (N, H W, slots) each
        outputs = [
            expert(score.softmax(1).transpose(1, 2) @ tokens) for expert, score in zip(experts, scores, strict=True)
        ]
        combined = torch.cat(scores, 2).softmax(2) @ torch.cat(outputs, 1)
        return x + combined.transpose(1, 2).unflatten(2, x.shape[2:])
