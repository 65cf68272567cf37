"""Which architecture next: Optuna asked, its answer kept inside the limits and never twice.

Optuna lives in memory and is rebuilt from our rows on resume. A fresh sampler is made for every question with a seed
from (study seed, trial number, attempt), so a resumed study asks as the unbroken one would have.
"""

import random
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.study import StudyDirection

from search.errors import UsedUp
from search.limits import feasible_sample, first_new, total_excess
from search.objectives import Objective, minimised
from search.samplers import SAMPLERS
from search.samplers.problem import Finished, Problem
from search.state.records import TrialRecord, digest
from search.suggest import architecture_of, distributions, params_of
from spaces.architecture import Architecture
from spaces.space import SearchSpace, mutate

ASKS, REPAIRS = 5, 500


@dataclass(frozen=True)
class Proposal:
    """An architecture to screen, with what Optuna needs to hear about it afterwards."""

    number: int
    arch: Architecture
    params: dict[str, Any]
    system_attrs: dict[str, Any]


class Proposer:
    """Optuna's study in memory, the architectures already seen, and the exact limits."""

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        sampler: str,
        seed: int,
        limits: Mapping[str, float],
        weight_bytes: int,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.space, self.objectives, self.seed = space, tuple(objectives), seed
        self.limits, self.weight_bytes = dict(limits), weight_bytes
        self.seen: set[str] = set()
        self._finished: list[Finished] = []
        self._memory: dict[int, Any] = {}
        self._sampler = SAMPLERS.get(sampler)
        self._study = optuna.create_study(
            directions=[StudyDirection.MINIMIZE] * len(self.objectives),
            sampler=self._make_sampler(seed),
        )
        self._distributions = distributions(space)
        self._settled = 0  # the generation whose parents are chosen
        self.starts: tuple[Architecture, ...] = ()  # proposed first, where they are feasible

    def problem(self) -> Problem:
        """What a sampler may know now."""
        known = self.seen, self._finished, self._memory
        return Problem(self.space, self.objectives, self.limits, self.weight_bytes, *known)

    def _make_sampler(self, seed: int) -> optuna.samplers.BaseSampler:
        with warnings.catch_warnings():  # Optuna calls samplers experimental for years
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return self._sampler(seed, self.problem())

    def replay(self, trials: Sequence[TrialRecord]) -> None:
        """Tell Optuna of recorded trials, in order, as if it had asked for them itself."""
        for trial in trials:
            self.seen.add(trial.architecture_id)
            if trial.origin == "search":
                self._add(trial.params, trial.system_attrs, trial.values if trial.state == "done" else None)
        for generation in range(1, 1 + max((_generation(trial.system_attrs) for trial in trials), default=0)):
            self._settle(generation)

    def propose(self, number: int) -> Proposal:
        """The next architecture: feasible, and new to this study.

        Raises: Infeasible: if no feasible architecture is found. UsedUp: if every one that was found had been tried.
        """
        params, attrs = self._ask(number, 0)
        arch = architecture_of(self.space, params)
        if number < len(self.starts) and self.is_new(self.starts[number]):
            arch = self.starts[number]
            return Proposal(number, arch, params_of(self.space, arch, params), attrs)
        for attempt in range(1, ASKS):
            if self.is_new(arch):
                break
            params, attrs = self._ask(number, attempt)
            arch = architecture_of(self.space, params)
        if not self.is_new(arch):
            arch = self._repair(arch, random.Random(f"{self.seed}/{number}"))
            params = params_of(self.space, arch, params)
        return Proposal(number, arch, params, attrs)

    def random_architecture(self, number: int) -> Architecture:
        """A random feasible architecture that this study has not seen. Raises: UsedUp, Infeasible."""
        rng = random.Random(f"random/{self.seed}/{number}")
        arch = first_new(
            lambda: feasible_sample(self.space, self.limits, self.weight_bytes, rng), self.seen, lambda _: True, 50
        )
        if arch is None:
            raise UsedUp(
                "every feasible architecture that was found has been tried. Lower `search.trials`, or widen the space."
            )
        return arch

    def tell(self, proposal: Proposal, values: Mapping[str, float] | None) -> None:
        """What screening found, by objective name; None for a failed trial."""
        self.seen.add(proposal.arch.id)
        self._add(proposal.params, proposal.system_attrs, values)

    def is_new(self, arch: Architecture) -> bool:
        """Feasible by the exact limits, and not seen before."""
        return arch.id not in self.seen and self.is_feasible(arch)

    def is_feasible(self, arch: Architecture) -> bool:
        """No exact limit is broken."""
        return not self.limits or total_excess(arch, self.limits, self.weight_bytes) == 0

    def _ask(self, number: int, attempt: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """One answer of a freshly seeded sampler; the asked trial itself is dropped, only its answer is used."""
        seed = int(digest(self.seed, number, attempt)[:8], 16)
        self._study.sampler = self._make_sampler(seed)
        trial = self._study.ask(self._distributions)
        told = self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        if self._settle(_generation(told.system_attrs)):
            return self._ask(number, attempt)
        return told.params, told.system_attrs

    def _settle(self, generation: int) -> bool:
        """Make a genetic sampler choose the parents of a generation before it uses them; True if it was not done yet.

        Optuna returns them in order of rank when it has just chosen them and in order of trials ever after: without
        this, a resumed study would draw other parents than the unbroken one.
        """
        sampler = self._study.sampler
        if not isinstance(sampler, optuna.samplers.BaseGASampler) or generation <= self._settled:
            return False
        sampler.get_parent_population(self._study, generation)
        self._settled = generation
        return True

    def _repair(self, arch: Architecture, rng: random.Random) -> Architecture:
        """A feasible new architecture near `arch`, or anywhere if there is none near."""
        if not self.is_feasible(arch):
            arch = feasible_sample(self.space, self.limits, self.weight_bytes, rng, start=arch)
        for rate in (0.05, 0.1, 0.2, 0.4):
            found = first_new(lambda r=rate: mutate(self.space, arch, rng, r), self.seen, self.is_feasible, REPAIRS)
            if found is not None:
                return found
        found = first_new(
            lambda: feasible_sample(self.space, self.limits, self.weight_bytes, rng), self.seen, lambda _: True, REPAIRS
        )
        if found is None:
            raise UsedUp(
                "every feasible architecture that was found has been tried. Lower `search.trials`, or widen the space."
            )
        return found

    def _add(self, params: Mapping[str, Any], attrs: Mapping[str, Any], values: Mapping[str, float] | None) -> None:
        state = optuna.trial.TrialState.FAIL if values is None else optuna.trial.TrialState.COMPLETE
        less = None if values is None else minimised(self.objectives, values)
        if less is not None:
            self._finished.append(Finished(dict(params), less))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study.add_trial(
                optuna.trial.create_trial(
                    state=state,
                    params=dict(params),
                    distributions=self._distributions,
                    values=less,
                    system_attrs=dict(attrs),
                )
            )


def _generation(attrs: Mapping[str, Any]) -> int:
    """The generation that a genetic sampler wrote into a trial's attributes; 0 for other samplers."""
    return next((int(value) for key, value in attrs.items() if key.endswith(":generation")), 0)
