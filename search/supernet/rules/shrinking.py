"""Progressive shrinking: large networks first, smaller ones as training goes on. Source: Cai et al. 2020
(once-for-all), arXiv:1908.09791.

Differs: kernels and expansions are freed together, since blocks name their own fields; the teacher is the step's own
largest network and not a frozen copy; one cosine schedule for the whole training, without restarts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from search.supernet.rules import RULES
from search.supernet.rules.step import Step
from spaces.architecture import Architecture
from spaces.space import SearchSpace, StageSpace, largest, sample

PHASES = 3  # after the largest alone: fields of blocks, depths, widths


@RULES.register("shrinking")
@dataclass(frozen=True)
class Shrinking:
    """The largest alone, then with random ones whose blocks, then depths, then widths vary.

    full: share of the training for the largest alone; the rest is divided evenly. between: random architectures a step.
    """

    full: float = 0.25
    between: int = 2
    teaches: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 <= self.full < 1:
            raise ValueError(f"`full` must be in [0, 1), got {self.full}. Write 0.25 for a quarter of the training.")
        if self.between < 1:
            raise ValueError(f"`between` must be at least 1, got {self.between}.")

    def members(self, step: Step) -> list[Architecture]:
        """The largest, and random ones of what the phase allows."""
        space, rng, phase = step.space, step.rng(), self.phase(step.done)
        first = largest(space, rng)
        return [first] if phase == 0 else [first, *(sample(narrowed(space, phase), rng) for _ in range(self.between))]

    def phase(self, done: float) -> int:
        """0 while the largest is trained alone, up to PHASES when everything varies."""
        if done < self.full:
            return 0
        return min(PHASES, 1 + int(PHASES * (done - self.full) / (1 - self.full)))


def narrowed(space: SearchSpace, phase: int) -> SearchSpace:
    """The space with only the largest depths before phase 2, and widths before phase 3."""

    def stage(full: StageSpace) -> StageSpace:
        return replace(
            full,
            depth=full.depth if phase > 1 else (max(full.depth),),
            width=full.width if phase > 2 else (max(full.width),),
        )

    stem = space.stem_width if phase > 2 else (max(space.stem_width),)
    return replace(space, stem_width=stem, stages=tuple(stage(each) for each in space.stages))
