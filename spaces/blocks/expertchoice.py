"""Experts that choose their positions. Source: Zhou et al. 2022, arXiv:2202.09368 (expert choice routing)."""

import math
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from spaces.blocks.block import BLOCKS, check_kernel, check_positive
from spaces.layers import ACTIVATIONS, depthwise, start_at_zero

STEP = (
    1e-5  # how much more a position's score counts than that of the next: of equals the first is taken, in any engine
)


@BLOCKS.register("expertchoice")
@dataclass(frozen=True)
class ExpertChoice:
    """x + sum_e gate_e(y) expert_e(y) over the positions that expert e chose, with y = norm(depthwise(x)).

    Every expert takes the positions that it scores highest, as many as all others do: shapes are static and no expert
    starves, so there is no loss to balance them. experts: prefix of those of the largest. capacity: how many experts a
    position has on the mean; more experts take fewer positions each and cost the same. ratio: hidden channels of each
    expert a channel. Differs: each gate is a sigmoid of the expert's own score instead of a softmax over all, so that
    fewer experts choose as they did among more; nearly equal positions, as of a blank margin, are taken in their order,
    so that every engine takes the same ones.
    """

    experts: int = 2
    capacity: float = 1
    ratio: float = 2
    kernel: int = 3
    act: str = "relu6"
    kind: ClassVar[str] = "expertchoice"
    separate: ClassVar[tuple[str, ...]] = ()
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {"act": tuple(ACTIVATIONS)}

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_positive(experts=self.experts, capacity=self.capacity, ratio=self.ratio)

    def build(self, width: int) -> nn.Module:
        return ExpertChoiceLayers(width, self, self.units(width)["hidden"])

    def units(self, width: int) -> dict[str, int]:
        return {"experts": self.experts, "hidden": round(width * self.ratio)}

    def resized(self, width: int, dimension: str, units: int) -> "ExpertChoice":
        return replace(self, experts=units) if dimension == "experts" else replace(self, ratio=units / width)


class ChosenExpert(nn.Module):
    """An MLP for the positions it takes, those with the highest scores."""

    def __init__(self, width: int, hidden: int, act: str) -> None:
        super().__init__()
        self.up = nn.Linear(width, hidden)
        self.act = ACTIVATIONS[act]()
        self.down = start_at_zero(nn.Linear(hidden, width))

    def forward(self, positions: Tensor) -> Tensor:
        """(N, each, C) -> (N, each, C)."""
        return self.down(self.act(self.up(positions)))


class ExpertChoiceLayers(nn.Module):
    """The layers of one ExpertChoice block."""

    def __init__(self, width: int, config: ExpertChoice, hidden: int) -> None:
        super().__init__()
        self.capacity = config.capacity
        self.mix = nn.Sequential(OrderedDict(depthwise=depthwise(width, config.kernel), norm=nn.BatchNorm2d(width)))
        self.router = nn.Linear(width, config.experts)
        self.experts = nn.ModuleList(ChosenExpert(width, hidden, config.act) for _ in range(config.experts))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        positions = self.mix(x).flatten(2).transpose(1, 2)  # (N, H W, C)
        images, count = positions.shape[:2]
        scores = self.router(positions).transpose(1, 2)  # (N, experts, H W)
        order = torch.arange(count, 0, -1, device=x.device, dtype=x.dtype) * STEP
        each = min(count, math.ceil(count * self.capacity / len(self.experts)))
        chosen = (scores + order).topk(each, 2).indices  # (N, experts, each)
        gates = scores.gather(2, chosen).sigmoid()
        first = torch.arange(0, images * count, count, device=x.device).reshape(-1, 1, 1)  # of each image
        rows = positions.flatten(0, 1)
        total = torch.zeros_like(rows)
        for taken, gate, expert in zip((chosen + first).unbind(1), gates.unbind(1), self.experts, strict=True):
            where = taken.flatten()
            seen = rows.index_select(0, where).unflatten(0, taken.shape)  # (N, each, C)
            total = total.index_add(0, where, (gate.unsqueeze(2) * expert(seen)).flatten(0, 1))
        return x + total.unflatten(0, (images, count)).transpose(1, 2).unflatten(2, x.shape[2:])
