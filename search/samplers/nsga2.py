"""NSGA-II: a population, crossover and mutation. Source: Deb et al. 2002, doi:10.1109/4235.996017."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.samplers import SAMPLERS
from search.samplers.problem import Problem

if TYPE_CHECKING:
    import optuna

POPULATION = 20


@SAMPLERS.register("nsga2")
def nsga2(seed: int, problem: Problem) -> optuna.samplers.BaseSampler:
    """Optuna's NSGA-II with a population of 20, which suits studies of a hundred trials."""
    import optuna

    return optuna.samplers.NSGAIISampler(population_size=POPULATION, seed=seed)
