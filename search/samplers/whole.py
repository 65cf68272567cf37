"""Samplers of our own, as Optuna asks for them: an architecture is proposed as a whole, a row of the space's grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zlib import crc32

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from search.samplers.problem import Problem
from search.samplers.surrogate.grid import grid_of
from search.suggest import architecture_of, distributions

# rows (n, slots) of finished trials in their order, their values (n, objectives), minimised, a seed, and how many
# questions the answer is for -> rows to evaluate, best first
Propose = Callable[[np.ndarray, np.ndarray, int, int], np.ndarray]
Remember = Callable[[np.ndarray], np.ndarray]  # values of all finished trials -> indices of those to look at, in order
Batch = Callable[[int], int]  # finished trials -> how many questions from then on one answer serves


class WholeSampler(BaseSampler):  # Optuna's own extension point
    """Asks `propose`, which knows the problem, about the trials of `remember`, and takes its first row that is new.

    Where an answer serves several questions, its seed comes from the trials it was made from, so that a study rebuilt
    from its rows gets the same one. Numbers of trials and failed trials are not looked at: those that failed are among
    `problem.seen`.
    """

    def __init__(
        self, seed: int, problem: Problem, remember: Remember, propose: Propose, batch: Batch = lambda done: 1
    ) -> None:
        self._seed, self._problem, self._batch = seed, problem, batch
        self._remember, self._propose = remember, propose

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All decisions."""
        return distributions(self._problem.space)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Optuna's parameters of the proposed architecture; a random one where all that was proposed is known."""
        problem, first = self._problem, self._first_of_batch()
        grid, kept = grid_of(problem.space), first in problem.memory
        rows = problem.memory[first] if kept else self._answer(first)
        if not kept and self._batch(first) > 1:
            problem.memory.clear()
        for at, row in enumerate(rows):
            params = grid.params_of(row)
            if architecture_of(problem.space, params).id not in problem.seen:
                if self._batch(first) > 1:
                    problem.memory[first] = rows[at:]  # what was seen stays seen
                return params
        return grid.params_of(grid.sample(1, np.random.default_rng(self._seed))[0])

    def _first_of_batch(self) -> int:
        """After how many finished trials the question is asked that this one's answer was made for."""
        first, done = 0, len(self._problem.finished)
        while first + self._batch(first) <= done:
            first += self._batch(first)
        return first

    def _answer(self, first: int) -> np.ndarray:
        """Rows to choose from, best first, by what the first finished trials found."""
        finished, count = self._problem.finished, self._batch(first)
        values = np.array([trial.values for trial in finished[:first]], float)
        values = values.reshape(first, len(self._problem.objectives))
        kept = self._remember(values)
        rows = grid_of(self._problem.space).rows_of([finished[k].params for k in kept])
        return self._propose(rows, values[kept], self._seed if count == 1 else crc32(rows.tobytes()), count)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Only for parameters outside the space: uniform."""
        return RandomSampler(seed=self._seed).sample_independent(study, trial, param_name, param_distribution)
