"""Strict fairness: every option is trained equally often in every step. Source: Chu et al. 2021, arXiv:1907.01845.

Differs: the paper's layers all have m options. Here numbers of options differ and some decisions depend on others, so a
decision that is asked more often than it has options starts again in another order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from search.supernet.rules import RULES
from search.supernet.rules.step import Step
from spaces.architecture import Architecture
from spaces.space import SearchSpace, decide


@RULES.register("fair")
@dataclass(frozen=True)
class Fair:
    """As many architectures a step as the widest choice has options; together they use every option of it once."""

    teaches: ClassVar[bool] = False

    def members(self, step: Step) -> list[Architecture]:
        """Architectures that take the options of each decision in random order without repeating one early."""
        rng, left = step.rng(), dict[str, list[Any]]()

        def pick(name: str, options: tuple[Any, ...]) -> Any:
            if not left.get(name):
                left[name] = rng.sample(options, len(options))
            return left[name].pop()

        return [decide(step.space, pick) for _ in range(most_options(step.space))]


def most_options(space: SearchSpace) -> int:
    """Options of the widest decision that every architecture makes, or makes at a position of its own."""
    stages = [len(options) for stage in space.stages for options in (stage.width, stage.depth, stage.blocks)]
    return max(len(space.stem_width), *stages)
