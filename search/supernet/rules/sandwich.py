"""Sandwich rule. Sources: Yu and Huang 2019, arXiv:1903.05134; Yu et al. 2020 (BigNAS), arXiv:2003.11142.

Differs: "the largest" needs a kind of block at every position, so each step draws an assignment of kinds, whose largest
network is the step's teacher.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search.supernet.rules import RULES
from search.supernet.rules.step import Step
from spaces.architecture import Architecture
from spaces.space import largest, sample, smallest


@RULES.register("sandwich")
@dataclass(frozen=True)
class Sandwich:
    """The largest, a few random ones and the smallest; the largest may teach the others. The default.

    between: random architectures a step.
    """

    between: int = 1
    teaches: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.between < 0:
            raise ValueError(f"`between` must not be negative, got {self.between}.")

    def members(self, step: Step) -> list[Architecture]:
        """Largest first, smallest last."""
        space, rng = step.space, step.rng()
        return [largest(space, rng), *(sample(space, rng) for _ in range(self.between)), smallest(space, rng)]
