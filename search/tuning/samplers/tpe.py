"""TPE: densities of good and bad recipes over the order and each step's settings. Source: Bergstra et al. 2011,
NeurIPS 24; by groups of parameters that stand together, Falkner et al. 2018, arXiv:1807.01774.
"""

from __future__ import annotations

import random
import warnings
from typing import Any

from search.tuning.problem import Problem, Proposal, opening, penalised, proposed, survivor
from search.tuning.samplers import TUNERS
from search.tuning.seen import Seen
from search.tuning.space import Candidate

STARTUP = 10  # random ones first
TRIES = 20  # it knows nothing of what was tried: so often it is asked for something new


@TUNERS.register("tpe")
def tpe(problem: Problem, seed: int) -> Proposal | None:
    """Optuna's multivariate TPE, its memory built anew from what was seen; looks count as tries where there are any."""
    return opening(problem) or survivor(problem) or proposed(problem, _asked(problem, seed))


def _asked(problem: Problem, seed: int) -> Candidate | None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # `group`; Optuna's version is pinned
        sampler = optuna.samplers.TPESampler(multivariate=True, group=True, n_startup_trials=STARTUP, seed=seed)
    study = optuna.create_study(sampler=sampler)
    known = [one for one in problem.seen if one.candidate.steps and _counts(problem, one)]
    for one in known:
        _tell(study, problem, one)
    for _ in range(TRIES):
        candidate = _suggested(study.ask(), problem)
        if problem.is_open(candidate) and candidate not in problem.looked:
            return candidate
    return problem.draw(random.Random(seed))


def _counts(problem: Problem, one: Seen) -> bool:
    """One value a recipe: of a recipe that was also tried in whole, the look is left out. What was made on the way to a
    recipe, and is none of the legal `orders` itself, has no place among Optuna's choices."""
    return one.candidate in problem.space and (not one.is_look or one.candidate not in problem.whole)


def _suggested(trial: Any, problem: Problem) -> Candidate:
    space = problem.space
    start = trial.suggest_categorical("start", list(range(space.starts))) if space.starts > 1 else 0
    order = space.orders[trial.suggest_categorical("order", list(range(len(space.orders))))]
    steps = []
    for name in order:
        left = list(space.choices[name])
        for field, values in space.varied_of(name):
            able = [value for value in values if any(getattr(step, field) == value for step in left)]
            chosen = trial.suggest_categorical(f"{name}.{field}", list(values))
            chosen = chosen if chosen in able else able[0]
            left = [step for step in left if getattr(step, field) == chosen]
        steps.append((name, left[0]))
    return Candidate(start, tuple(steps))


def _tell(study: Any, problem: Problem, one: Seen) -> None:
    import optuna

    space, candidate = problem.space, one.candidate
    params: dict[str, Any] = {"order": space.orders.index(tuple(name for name, _ in candidate.steps))}
    choices: dict[str, list[Any]] = {"order": list(range(len(space.orders)))}
    if space.starts > 1:
        params["start"], choices["start"] = candidate.start, list(range(space.starts))
    for name, step in candidate.steps:
        for field, values in space.varied_of(name):
            params[f"{name}.{field}"], choices[f"{name}.{field}"] = getattr(step, field), list(values)
    study.add_trial(
        optuna.trial.create_trial(
            params=params,
            distributions={key: optuna.distributions.CategoricalDistribution(items) for key, items in choices.items()},
            value=penalised(one, problem.max_drop),
        )
    )
