"""Samplers of our own, as Optuna asks for them: an architecture is proposed as a whole, a row of the space's grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from search.samplers.problem import Problem
from search.samplers.surrogate.grid import grid_of
from search.suggest import distributions

# (rows (n, slots) of finished trials in their order, their values (n, objectives), minimised) -> Optuna's parameters
Propose = Callable[[np.ndarray, np.ndarray], dict[str, Any]]
Remember = Callable[[np.ndarray], np.ndarray]  # values of all finished trials -> indices of those to look at, in order


class WholeSampler(BaseSampler):  # Optuna's own extension point
    """Asks `propose`, which knows the problem and the seed, about the trials of `remember`; nothing is kept in between.

    Numbers of trials and failed trials are not looked at: those that failed are among `problem.seen`.
    """

    def __init__(self, seed: int, problem: Problem, remember: Remember, propose: Propose) -> None:
        self._seed, self._problem, self._remember, self._propose = seed, problem, remember, propose

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All decisions."""
        return distributions(self._problem.space)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Optuna's parameters of the proposed architecture."""
        done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        values = np.array([t.values for t in done], float).reshape(len(done), len(self._problem.objectives))
        kept = self._remember(values)
        return self._propose(grid_of(self._problem.space).rows_of([done[k].params for k in kept]), values[kept])

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Only for parameters outside the space: uniform."""
        return RandomSampler(seed=self._seed).sample_independent(study, trial, param_name, param_distribution)
