"""Our default sampler, as Optuna asks for it.

No state but the finished trials, the problem and the seed. Numbers of trials and failed trials are not looked at:
architectures that failed are among `problem.seen`, and are never proposed again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from search.samplers.problem import Problem
from search.samplers.surrogate.costs import NAMES, costs_of
from search.samplers.surrogate.encoding import encode
from search.samplers.surrogate.pool import SIZE, candidates
from search.samplers.surrogate.ranking import by_rank, first_random, rank
from search.suggest import architecture_of, distributions

PARENTS = 20  # best architectures whose neighbours are candidates
START = 20  # candidates while answers are random: every piece of a candidate is counted, which takes a while at first


class SurrogateSampler(BaseSampler):  # Optuna's own extension point
    """Proposes the architecture that promises most: feasible, and not seen before, unless none such was found."""

    def __init__(self, seed: int, problem: Problem) -> None:
        self._seed, self._problem = seed, problem
        self._costs = costs_of(problem.space)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All decisions: an architecture is proposed as a whole."""
        return distributions(self._problem.space)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Optuna's parameters of the proposed architecture. Cost: see `propose`."""
        done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        rows = self._costs.grid.rows_of([t.params for t in done])
        values = np.array([t.values for t in done], float).reshape(len(done), len(self._problem.objectives))
        return self.propose(rows, values)

    def propose(self, rows: np.ndarray, values: np.ndarray) -> dict[str, Any]:
        """Parameters of the next architecture after `rows` (n, slots) had `values` (n, objectives), minimised.

        Where no feasible new one was found, parameters of a random architecture. Cost: mostly one fit of a Gaussian
        process, O(n^3), for each objective that is not a count.
        """
        rng, grid, problem = np.random.default_rng(self._seed), self._costs.grid, self._problem
        begun = len(rows) >= first_random(len(grid.slots))
        best = rows[by_rank(values)[:PARENTS]] if begun else rows[:0]
        size = SIZE if begun else START
        fresh, counts = candidates(self._costs, problem.limits, problem.weight_bytes, best, rows, rng, size)
        both = np.concatenate([rows, fresh])
        known = np.concatenate([self._costs.of(rows), counts])
        encoding = encode(both, grid.ordinal, known[:, :2])
        for row in rank(encoding, np.arange(len(rows)), values, rng, known=self._known(known)):
            params = grid.params_of(both[row])
            if architecture_of(problem.space, params).id not in problem.seen:
                return params
        return grid.params_of(grid.sample(1, rng)[0])

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Only for parameters outside the space: uniform."""
        return RandomSampler(seed=self._seed).sample_independent(study, trial, param_name, param_distribution)

    def _known(self, counts: np.ndarray) -> np.ndarray:
        """(n, objectives): objectives that are counts, NaN for those that have to be evaluated."""
        columns = {name: counts[:, k] for k, name in enumerate(NAMES)}
        unknown = np.full(len(counts), np.nan)
        return np.stack([columns.get(objective.name, unknown) for objective in self._problem.objectives], axis=1)
