"""How far each candidate was trained, and by what evidence it was stopped: rows of the study's log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from search.fidelities.contenders import Prospect, quality_of
from search.fidelities.short import Rungs
from search.objectives import Objective
from search.state.records import TrialRecord
from search.study import Study

KIND = "rung"  # of the events, one a candidate; search.report.rungs reads them


@dataclass(frozen=True)
class Fate:
    """How far a candidate went. foretold: where it was thought to end, unless it was the first to end, for which there
    was nothing to learn from. full: its qualities at the end by metric, or None. rivals: trials that stopped it."""

    trial: TrialRecord
    foretold: Prospect | None
    full: Mapping[str, float] | None
    rivals: Sequence[int]


def tell_fates(study: Study, fates: Sequence[Fate], plan: Rungs) -> None:
    """Record once how far every network went and why."""
    told = _told(study)
    for fate in fates:
        if fate.trial.number not in told:
            data = _data(fate, study.config.objectives[0], plan)  # a quality: they come first
            study.event(KIND, _sentence(data, study.config.compress.keep), data)


def tell_failure(study: Study, trial: TrialRecord, error: Exception) -> None:
    """Record once that a short training failed."""
    if trial.number not in _told(study):
        message = f"Trial {trial.number} was given up in its short training: {error}"
        study.event(KIND, message, {"trial": trial.number, "error": str(error)}, "warning")


def _told(study: Study) -> set[int]:
    return {row["trial"] for row in study.ledger.event_data(study.id, KIND)}


def _data(fate: Fate, objective: Objective, plan: Rungs) -> dict[str, Any]:
    where, metric = fate.foretold, objective.metric
    ends = sorted(objective.minimised(end[0]) for end in (where.best, where.expected, where.worst)) if where else None
    return {
        "trial": fate.trial.number,
        "epochs": plan.epochs,
        "of": plan.of,
        "metric": metric,
        "supernet": quality_of(fate.trial, metric, "supernet")[1],
        "short": quality_of(fate.trial, metric, "short")[1],
        "foretold": ends,
        "full": fate.full[metric] if fate.full else None,
        "stopped_by": list(fate.rivals),
    }


def _sentence(data: Mapping[str, Any], keep: int) -> str:
    """The row in words."""
    told = ""
    if data["foretold"]:
        low, expected, high = data["foretold"]
        told = f", {expected:.3g} [{low:.3g}, {high:.3g}] expected at the end"
    if data["full"] is not None:
        fate = f"trained on, and reached {data['full']:.3g}"
    elif data["stopped_by"]:
        fate = f"stopped, for at its best it is worse than trial {data['stopped_by'][0]} at its worst"
    else:
        fate = f"left, for the epochs of {keep} networks went to those that promised more"
    return (
        f"Trial {data['trial']}: {data['metric']} {data['supernet']:.3g} with the shared weights, {data['short']:.3g} "
        f"after {data['epochs']} of {data['of']} epochs{told}; {fate}."
    )
