"""Our default sampler: a proposal from finished trials, the problem and a seed, and from nothing else.

Architectures that failed are among `problem.seen`, and are never proposed again.
"""

from __future__ import annotations

import numpy as np

from search.objectives import Objective
from search.samplers.problem import Problem
from search.samplers.surrogate.costs import NAMES, costs_of
from search.samplers.surrogate.encoding import encode
from search.samplers.surrogate.forms import forms
from search.samplers.surrogate.pool import SIZE, candidates
from search.samplers.surrogate.ranking import by_rank, first_random, rank

MOST = 256  # trials that a proposal looks at
PARENTS = 20  # best architectures whose neighbours are candidates
START = 20  # candidates while answers are random: every piece of a candidate is counted, which takes a while at first


def remembered(values: np.ndarray) -> np.ndarray:
    """Indices, in order, of the trials that a proposal looks at: all, or the best and others at random.

    It bounds the time of a proposal; how few trials are enough was not tuned.
    """
    if len(values) <= MOST:
        return np.arange(len(values))
    best = by_rank(values)
    others = np.random.default_rng(len(values)).choice(best[MOST // 2 :], MOST - MOST // 2, replace=False)
    return np.sort(np.concatenate([best[: MOST // 2], others]))


def batch(done: int) -> int:
    """How many proposals one fit serves after `done` trials: 1, and from MOST on a 64th of them, at most 64.

    Late trials change little of what 256 others say, and a fit costs more than all else that a trial takes.
    """
    return max(1, min(done // 64, 64)) if done >= MOST else 1


def propose(problem: Problem, rows: np.ndarray, values: np.ndarray, seed: int, count: int) -> np.ndarray:
    """Feasible rows to evaluate next, best first, after `rows` (n, slots) had `values` (n, objectives), minimised.

    The first `count` are chosen to be evaluated together. None where none was found. Cost: mostly one fit of a Gaussian
    process, O(n^3), for each objective that is not a count.
    """
    rng, costs = np.random.default_rng(seed), costs_of(problem.space)
    begun = len(rows) >= first_random(len(costs.grid.slots))
    best = rows[by_rank(values)[:PARENTS]] if begun else rows[:0]
    size = SIZE if begun else START
    fresh, counts = candidates(costs, problem.limits, problem.weight_bytes, best, rows, rng, size)
    both = np.concatenate([rows, fresh])
    known = np.concatenate([costs.of(rows), counts])
    simplest, parts = forms(costs.grid, both)
    encoding = encode(simplest, costs.grid.ordinal, known[:, :2], parts)
    order = rank(encoding, np.arange(len(rows)), values, rng, known=_known(problem.objectives, known), together=count)
    return both[order]


def _known(objectives: tuple[Objective, ...], counts: np.ndarray) -> np.ndarray:
    """(n, objectives): objectives that are counts, NaN for those that have to be evaluated."""
    columns = {name: counts[:, k] for k, name in enumerate(NAMES)}
    unknown = np.full(len(counts), np.nan)
    return np.stack([columns.get(objective.name, unknown) for objective in objectives], axis=1)
