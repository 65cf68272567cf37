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
    """One random architecture a step learns the labels: the cheapest step there is."""

    teaches: ClassVar[bool] = False

    def members(self, step: Step) -> list[Architecture]:
        """One architecture, every decision uniform."""
        return [sample(step.space, step.rng())]
