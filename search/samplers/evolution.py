"""Regularized evolution: the youngest compete, the winner has a child. Source: Real et al. 2019, arXiv:1802.01548.

Differs: a child that is infeasible or was seen is born again, so nothing is evaluated twice; with several objectives
the winner of a tournament is one that no other entrant dominates.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from search.samplers import SAMPLERS
from search.samplers.problem import Problem

if TYPE_CHECKING:
    import numpy as np
    import optuna

POPULATION, ENTRANTS = 20, 5
BIRTHS = 200  # children tried at once for one that is feasible and new


@SAMPLERS.register("evolution")
def evolution(seed: int, problem: Problem) -> optuna.samplers.BaseSampler:
    """The last 20 trials are the population; one decision of the best of 5 is changed."""
    from search.samplers.whole import WholeSampler

    return WholeSampler(seed, problem, _youngest, partial(_children, problem))


def _youngest(values: np.ndarray) -> np.ndarray:
    import numpy as np

    return np.arange(max(0, len(values) - POPULATION), len(values))


def _children(problem: Problem, rows: np.ndarray, values: np.ndarray, seed: int, _: int) -> np.ndarray:
    """Feasible children of the best of five; random feasible architectures while the population grows."""
    import numpy as np

    from search.samplers.surrogate.acquisition import front
    from search.samplers.surrogate.costs import costs_of
    from search.samplers.surrogate.pool import candidates, excess

    rng, costs = np.random.default_rng(seed), costs_of(problem.space)
    if len(rows) < POPULATION:
        return candidates(costs, problem.limits, problem.weight_bytes, rows[:0], rows, rng, POPULATION)[0]
    entrants = len(rows) - 1 - rng.choice(POPULATION, ENTRANTS, replace=False)
    parent = rng.choice(entrants[front(values[entrants])])
    born = costs.grid.neighbours(np.repeat(rows[[parent]], BIRTHS, axis=0), rng, most=1)
    return born[excess(costs.of(born), problem.limits, problem.weight_bytes) == 0]
