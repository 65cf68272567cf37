"""Random: every decision uniform. The baseline that a search must beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.samplers import SAMPLERS
from search.samplers.problem import Problem

if TYPE_CHECKING:
    import optuna


@SAMPLERS.register("random")
def random(seed: int, problem: Problem) -> optuna.samplers.BaseSampler:
    """Optuna's random sampler."""
    import optuna

    return optuna.samplers.RandomSampler(seed=seed)
