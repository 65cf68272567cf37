"""Attentive sampling: of networks of like cost, train the best or the worst. Source: Wang et al. 2021 (AttentiveNAS),
arXiv:2011.09011.

Differs: the paper draws a cost from a prior and then networks of that cost from a table made beforehand. Here the cost
is that of a random network, and its rivals are the nearest in MACs of a few dozen random ones, which needs no table.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import ClassVar

from search.supernet.rules import RULES
from search.supernet.rules.step import Step
from spaces.architecture import Architecture
from spaces.counts import count
from spaces.space import SearchSpace, largest, sample, smallest

CROWD = 24  # random architectures that rivals are picked from


@RULES.register("attentive")
@dataclass(frozen=True)
class Attentive:
    """Sandwich whose middle is, among `rivals` of like cost, the one with the worst (or best) loss on the batch.

    aim: `worst` lifts the weakest, `best` polishes the front. between: such architectures a step. rivals: candidates
    for each; every one costs a forward.
    """

    aim: str = "worst"
    between: int = 1
    rivals: int = 3
    teaches: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.aim not in ("worst", "best"):
            raise ValueError(f"`aim` must be 'worst' or 'best', got {self.aim!r}.")
        if self.between < 1:
            raise ValueError(f"`between` must be at least 1, got {self.between}. Rule 'sandwich' can do without.")
        if not 2 <= self.rivals <= CROWD:
            raise ValueError(f"`rivals` must be in [2, {CROWD}], got {self.rivals}.")

    def members(self, step: Step) -> list[Architecture]:
        """Largest first, smallest last."""
        space, rng = step.space, step.rng()
        first, pick = largest(space, rng), max if self.aim == "worst" else min
        between = [pick(alike(space, self.rivals, rng), key=step.loss) for _ in range(self.between)]
        return [first, *between, smallest(space, rng)]


def alike(space: SearchSpace, number: int, rng: random.Random) -> list[Architecture]:
    """A random architecture and, of CROWD others, those nearest to it in the logarithm of their MACs."""
    first, *others = (sample(space, rng) for _ in range(CROWD))
    target = math.log(count(first).macs)
    return [first, *sorted(others, key=lambda arch: abs(math.log(count(arch).macs) - target))[: number - 1]]
