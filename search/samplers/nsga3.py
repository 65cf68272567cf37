"""NSGA-III: NSGA-II that spreads its population along reference directions, for three and more objectives.

Source: Deb & Jain 2014, doi:10.1109/TEVC.2013.2281535.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.samplers import SAMPLERS
from search.samplers.nsga2 import POPULATION
from search.samplers.problem import Problem

if TYPE_CHECKING:
    import optuna


@SAMPLERS.register("nsga3")
def nsga3(seed: int, problem: Problem) -> optuna.samplers.BaseSampler:
    """Optuna's NSGA-III with the population of `nsga2`."""
    import optuna

    return optuna.samplers.NSGAIIISampler(population_size=POPULATION, seed=seed)
