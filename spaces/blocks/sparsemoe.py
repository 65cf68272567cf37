"""Positions that choose their experts. Sources: Shazeer et al. 2017, arXiv:1701.06538; Fedus et al. 2021,
arXiv:2101.03961 (Switch), whose gates and loss these are.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from spaces.blocks.block import BLOCKS, check_kernel, check_positive
from spaces.blocks.moe import Expert
from spaces.layers import ACTIVATIONS, depthwise, pointwise

BALANCE = 0.01  # what the loss of unbalanced experts counts, as in Switch


@BLOCKS.register("sparsemoe")
@dataclass(frozen=True)
class SparseMoE:
    """x + sum of gate_e(y) expert_e(y) over the `top_k` experts of each position, with y = norm(depthwise(x)).

    The gates are a softmax over all experts, set to zero for those that a position has not chosen. experts: prefix of
    those of the largest. ratio: hidden channels of each expert a channel. Differs: all experts are evaluated, in
    training and in the file, since a loop over the chosen ones has no static graph: MACs and latency are those of all.
    No capacity, so nothing is dropped, and no noise.

    In training the experts are drawn to equal shares by the gradient of Switch's loss, E * sum_e f_e P_e, which is
    added on its way back: the block stays a function of its input, whatever loss it is trained by.
    """

    experts: int = 2
    top_k: int = 1
    ratio: float = 1
    kernel: int = 3
    act: str = "relu6"
    kind: ClassVar[str] = "sparsemoe"
    separate: ClassVar[tuple[str, ...]] = ()
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {"act": tuple(ACTIVATIONS)}

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_positive(experts=self.experts, top_k=self.top_k, ratio=self.ratio)

    def build(self, width: int) -> nn.Module:
        return SparseMoELayers(width, self, self.units(width)["hidden"])

    def units(self, width: int) -> dict[str, int]:
        return {"experts": self.experts, "hidden": round(width * self.ratio)}

    def resized(self, width: int, dimension: str, units: int) -> "SparseMoE":
        return replace(self, experts=units) if dimension == "experts" else replace(self, ratio=units / width)


class SparseMoELayers(nn.Module):
    """The layers of one SparseMoE block."""

    def __init__(self, width: int, config: SparseMoE, hidden: int) -> None:
        super().__init__()
        self.top_k = min(config.top_k, config.experts)
        self.mix = nn.Sequential(OrderedDict(depthwise=depthwise(width, config.kernel), norm=nn.BatchNorm2d(width)))
        self.router = pointwise(width, config.experts, bias=True)
        self.experts = nn.ModuleList(Expert(width, hidden, config.act) for _ in range(config.experts))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        y = self.mix(x)
        shares = self.router(y).softmax(1)  # (N, experts, H, W)
        chosen = shares >= shares.topk(self.top_k, 1).values[:, -1:]
        if self.training and shares.requires_grad:
            pull = pull_of(chosen, self.top_k)
            shares.register_hook(lambda gradient: gradient + pull)
        gates = torch.where(chosen, shares, 0.0)
        for index, expert in enumerate(self.experts):
            x = x + gates[:, index : index + 1] * expert(y)
        return x


def pull_of(chosen: Tensor, top_k: int) -> Tensor:
    """The gradient of BALANCE * E * sum_e f_e P_e to the shares, (1, E, 1, 1): f_e is the part of all choices that fell
    on expert e, P_e its mean share."""
    experts, positions = chosen.shape[1], chosen[:, 0].numel()
    part = chosen.to(torch.get_default_dtype()).mean((0, 2, 3), keepdim=True) / top_k
    return part * (BALANCE * experts / positions)
