"""Uniform single path. Source: Guo et al. 2020 (SPOS), arXiv:1904.00420.

Differs: uniform over decisions, each asked only where it matters, so that every depth and every kind is equally likely.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search.supernet.rules import RULES
from search.supernet.rules.step import Step
from spaces.architecture import Architecture
from spaces.space import sample


@RULES.register("uniform")
@dataclass(frozen=True)
class Uniform:
    """Random architectures, one a step: the cheapest step there is.

    paths: so many a step. With `split` they share its images, which costs as little as one.
    """

    paths: int = 1
    teaches: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.paths < 1:
            raise ValueError(f"`paths` must be at least 1, got {self.paths}.")

    def members(self, step: Step) -> list[Architecture]:
        """Architectures, every decision uniform."""
        rng = step.rng()
        return [sample(step.space, rng) for _ in range(self.paths)]
