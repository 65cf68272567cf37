"""Growing and sparsifying. Source: Yuan, Savarese and Maire 2021 (Growing Efficient Deep Networks by Structured
Continuous Sparsification), arXiv:2007.15353.

A unit is what the next larger option of a decision adds: layers, channels, a larger field of a block, a block in the
place of one without weights. Training starts without any (the seed), each is drawn with the probability of a sigmoid
that gets steeper for as long as that unit has been there, and what it is good for is learned from the gradient of its
mask.

Differs: the paper moves the weight of its penalty until the network is as sparse as it should be; here that weight is
solved for in every draw, so that no network costs more MACs than growth allows. A mask's gradient reaches its logit as
if the sigmoid were the identity, so that what is certain goes on learning, and less what its MACs gain on average. Only
masks that the gates of blocks can be learn: layers, and channels of blocks. The stem's channels and the fields of
blocks grow by the budget alone; kinds of block and values that are not nested are drawn evenly. The paper grows one
network; a supernet needs all sizes, so smaller ones share each step.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from search.supernet import ranks
from search.supernet.rules import RULES
from search.supernet.rules.learned import check_learning, descend, logits
from search.supernet.rules.step import Step
from search.supernet.rules.units import Everything, Grown, cost_of, is_weighed, network, unit_of
from spaces.architecture import Architecture
from spaces.counts import count
from spaces.space import SearchSpace


@RULES.register("growing")
@dataclass(frozen=True)
class Growing:
    """The network grown so far, and smaller ones. It begins as the smallest; the MACs allowed rise at a constant rate.

    budget: the most MACs, as a share of those of the largest with the same kinds. until: share of the training after
    which all of that is allowed. between: smaller networks a step, down to the smallest. logit_lr: step of the logits,
    as Adam's. hot, cold: temperature of a unit that has just grown and of one that was always there.
    """

    budget: float = 1.0
    until: float = 0.5
    between: int = 1
    logit_lr: float = 0.01
    hot: float = 1.0
    cold: float = 0.1
    teaches: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name, remedy in (("budget", "1 for the largest network"), ("until", "0.5 for half of the training")):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"`{name}` must be in (0, 1], got {getattr(self, name)}. Write {remedy}.")
        if self.between < 0:
            raise ValueError(f"`between` must not be negative, got {self.between}. Write 0 for the grown one alone.")
        check_learning(self.logit_lr, self.hot, self.cold)

    def members(self, step: Step) -> list[Architecture]:
        """The grown one, and others with lesser budgets, which are even in their logarithm."""
        rng, reach = step.rng(), min(1.0, step.done / self.until)
        reaches = [reach, *(reach * rng.random() for _ in range(self.between))]
        return [self._draw(step, turn, share).arch for turn, share in enumerate(reaches)]

    def gates(self, step: Step) -> Sequence[Tensor]:
        """For each block the sum of the masks that it depends on, each zero and a leaf."""
        grown = self._draw(step, 0, min(1.0, step.done / self.until))
        leaves = {unit: torch.zeros((), requires_grad=True) for unit in grown.units if is_weighed(unit)}
        step.memory.update(grown=grown, leaves=leaves)  # until `learn`: a checkpoint cannot hold them
        return [
            sum(_masks(step.space, grown, leaves, i, j), torch.zeros(()))
            for i, stage in enumerate(grown.arch.stages)
            for j in range(len(stage.blocks))
        ]

    def learn(self, step: Step) -> None:
        """Units that lower the loss by more than their MACs do on average rise, others fall; their clocks go on."""
        grown: Grown = step.memory.pop("grown")
        leaves: dict[str, Tensor] = step.memory.pop("leaves")
        ranks.average_gradients(leaves.values())
        gains = {unit: -leaf.grad.item() for unit, leaf in leaves.items() if leaf.grad is not None}
        costs = {unit: cost_of(step.space, grown, unit) for unit in gains}
        price = sum(gains.values()) / max(sum(costs.values()), 1)
        for unit, gain in gains.items():
            logits(step.memory, unit, 1)
            descend(step.memory, unit, torch.tensor([price * costs[unit] - gain]), self.logit_lr)
        clocks, passed = step.memory.setdefault("clocks", {}), step.done - step.memory.get("done", 0.0)
        clocks.update({unit: clocks.get(unit, 0.0) + passed for unit in grown.units})
        step.memory["done"] = step.done

    def _draw(self, step: Step, turn: int, reach: float) -> Grown:
        """As many units as the MACs allow, those with the largest logit + temperature * noise first: for each what it
        would be with the paper's sigmoid, at the least penalty that keeps within the budget."""
        key = f"{step.seed}/{step.number}/{turn}"
        least, most = network(step.space, (), key), network(step.space, Everything(), key)
        low, high = count(least.arch).macs, count(most.arch).macs
        allowed = low ** (1 - reach) * max(low, self.budget * high) ** reach
        if high <= allowed:
            return most
        order = sorted(most.units, key=lambda unit: -self._value(step.memory, unit, key))
        fits, ends = 0, len(order)
        while fits < ends:
            middle = (fits + ends + 1) // 2
            macs = count(network(step.space, set(order[:middle]), key).arch).macs
            fits, ends = (middle, ends) if macs <= allowed else (fits, middle - 1)
        return network(step.space, set(order[:fits]), key)

    def _value(self, memory: dict[str, Any], unit: str, key: str) -> float:
        chance = random.Random(f"{key}/{unit}").uniform(1e-9, 1 - 1e-9)
        known: Tensor | None = memory.get("logits", {}).get(unit)
        temperature = self.hot * (self.cold / self.hot) ** memory.get("clocks", {}).get(unit, 0.0)
        return (0.0 if known is None else known.item()) + temperature * math.log(chance / (1 - chance))


def _masks(space: SearchSpace, grown: Grown, leaves: dict[str, Tensor], stage: int, position: int) -> list[Tensor]:
    """What must be there for a block to be: its layer, a kind with weights, and for each of its channels the width."""
    depths, widths = sorted(space.stages[stage].depth), sorted(space.stages[stage].width)
    layer = unit_of(f"stage{stage}.depth", sum(depth <= position for depth in depths))
    masks = [leaves[unit] for unit in (layer, unit_of(f"stage{stage}.block{position}", 1)) if unit in leaves]
    added = [leaves[unit] for unit in grown.units if unit.startswith(f"stage{stage}.width/")]
    if added:
        steps = zip(added, widths, widths[1:], strict=False)
        channels = [torch.zeros(widths[0]), *(mask.expand(wide - narrow) for mask, narrow, wide in steps)]
        masks.append(torch.cat(channels).view(-1, 1, 1))
    return masks
