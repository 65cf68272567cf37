"""Which networks are trained to the end: those that may still change the front, after all were trained in short.

From shared weights to a short training to a full one, every rung costs more and says more. After each full training the
study knows better what a short one is worth, and networks that cannot reach the front any more are stopped. Optuna
cannot prune where there are several objectives; nothing here asks it to. Successive halving (Jamieson & Talwalkar 2016,
arXiv:1502.07943) keeps a fixed share at each rung; here those go on whom no other's interval dominates.
"""

from collections.abc import Iterator, Mapping, Sequence

from torch import nn

from compress.recipe import StepError
from compress.train import NonFiniteLoss
from search.config.winner_steps import winner_steps
from search.fidelities.contenders import Prospect, contenders, prospect, quality_of
from search.fidelities.fates import Fate, tell_failure, tell_fates
from search.fidelities.outlook import Ends, outlook
from search.fidelities.short import Rungs, rungs, train_short
from search.fronts import spread
from search.objectives import corner_of, dominates, hypervolume
from search.state.records import TrialRecord
from search.study import Study
from search.supernet.shared_weights import Supernet

Ended = Mapping[int, Mapping[str, float]]  # qualities at the end by metric, by the trial's number, in order


def finalists(
    study: Study, supernet: Supernet, teacher: nn.Module | None, front: Sequence[TrialRecord]
) -> Iterator[TrialRecord]:
    """The networks to develop, one by one: the next is chosen by what became of those before.

    Without `compress.extra` they are the `keep` of the front that dominate most together. What is chosen follows
    from what is recorded, so a resumed study goes on with the same networks.
    """
    plan = rungs(study.config)
    if plan is None:
        yield from spread(study, front, study.config.compress.keep)
        return
    runners = list(trained_in_short(study, supernet, teacher, contenders(study, front, plan.candidates), plan))
    ended: dict[int, dict[str, float]] = {}
    foretold: dict[int, Prospect] = {}
    while len(ended) < plan.finalists(len(runners)):
        where = prospects(study, runners, ended)
        trial = next_of(runners, ended, where)
        if trial is None:
            break
        yield trial
        if ended:  # before, nobody knows what a full training changes
            foretold[trial.number] = where[trial.number]
        ended[trial.number] = quality_at_the_end(study, trial)
    where = prospects(study, runners, ended)
    fates = [
        Fate(trial, foretold.get(number), ended[number], ())
        if (number := trial.number) in ended
        else Fate(trial, where[number], None, rivals(number, where))
        for trial in runners
    ]
    tell_fates(study, fates, plan)


def trained_in_short(
    study: Study, supernet: Supernet, teacher: nn.Module | None, trials: Sequence[TrialRecord], plan: Rungs
) -> Iterator[TrialRecord]:
    """Those of the trials that could be trained in short, with what came of it."""
    for trial in trials:
        try:
            yield train_short(trial, supernet, teacher, study, plan.epochs)
        except (StepError, NonFiniteLoss) as error:
            tell_failure(study, trial, error)
        study.watch.advance(study.watch.done + 1, f"trial {trial.number}: {plan.epochs} of {plan.of} epochs")


def next_of(runners: Sequence[TrialRecord], ended: Ended, where: Mapping[int, Prospect]) -> TrialRecord | None:
    """Of those that may still change the front the one that is expected to add most to it; None if there is none."""
    left = [trial for trial in runners if trial.number not in ended and not rivals(trial.number, where)]
    known = [where[number].expected for number in ended]
    corner = corner_of([found.expected for found in where.values()])
    return max(left, key=lambda trial: hypervolume([*known, where[trial.number].expected], corner), default=None)


def rivals(number: int, where: Mapping[int, Prospect]) -> list[int]:
    """Networks whose worst end dominates the best end of this one: it cannot change the front any more."""
    return [other for other, found in where.items() if other != number and dominates(found.worst, where[number].best)]


def prospects(study: Study, runners: Sequence[TrialRecord], ended: Ended) -> dict[int, Prospect]:
    """By number: where each runner ended, or may end by what became of the others."""

    def at_the_end(trial: TrialRecord, metric: str) -> Ends:
        if trial.number in ended:
            value = ended[trial.number][metric]
            return value, value, value
        shared, short = (
            {runner.number: quality_of(runner, metric, fidelity)[1] for runner in runners}
            for fidelity in ("supernet", "short")
        )
        to_full = [(short[number], values[metric]) for number, values in ended.items()]
        to_short = [(shared[number], short[number]) for number in short]
        return outlook(metric, quality_of(trial, metric, "short"), to_full, to_short)

    return {trial.number: prospect(study, trial, lambda metric, t=trial: at_the_end(t, metric)) for trial in runners}


def quality_at_the_end(study: Study, trial: TrialRecord) -> dict[str, float]:
    """By metric, what the file of the first step reached; where the step failed, what the short training did."""
    name = winner_steps(study.config)[0][0]
    for variant in study.ledger.variants(study.id):
        if (variant.trial_id, variant.role, variant.step) == (trial.id, "winner", name) and variant.evaluations:
            return {e.metric: e.value for e in variant.evaluations if e.split == "validation"}
    return {e.metric: e.value for e in trial.evaluations if e.fidelity == "short"}
