"""Who may be on the front: what intervals say of a network's point, and which networks are worth a closer look."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from search.config.study import QUALITIES
from search.fidelities.outlook import Ends
from search.fronts import is_within_limits, spread
from search.objectives import Objective, corner_of, dominates, hypervolume
from search.state.records import TrialRecord
from search.study import Study
from spaces.architecture import Architecture


@dataclass(frozen=True)
class Prospect:
    """Where a network may end: its best, expected and worst point, all minimised."""

    best: tuple[float, ...]
    expected: tuple[float, ...]
    worst: tuple[float, ...]


def contenders(study: Study, front: Sequence[TrialRecord], count: int) -> list[TrialRecord]:
    """At most `count` networks: of the front those that dominate most together, then those just behind it.

    Just behind: within the limits, and no other network is better for sure, by the intervals of its latency and of its
    quality with the shared weights. The one that could add most to the front comes first.
    """
    able = [trial for trial in study.of("search") if trial.state == "done" and is_within_limits(study, trial)]
    where = {trial.number: as_screened(study, trial) for trial in able}
    worst, on_front = [found.worst for found in where.values()], {trial.number for trial in front}
    behind = [
        trial
        for trial in able
        if trial.number not in on_front and not any(dominates(point, where[trial.number].best) for point in worst)
    ]
    known = [study.point(trial) for trial in front]
    corner = corner_of([*known, *(where[trial.number].expected for trial in behind)])
    behind.sort(key=lambda trial: -hypervolume([*known, where[trial.number].best], corner))
    return [*spread(study, front, count), *behind][:count]


def as_screened(study: Study, trial: TrialRecord) -> Prospect:
    """Where the trial's intervals put it with the shared weights."""
    return prospect(study, trial, lambda metric: quality_of(trial, metric, "supernet"))


def quality_of(trial: TrialRecord, metric: str, fidelity: str) -> Ends:
    """A quality on validation with the shared weights (`supernet`) or after a short training (`short`)."""
    found = next(e for e in trial.evaluations if (e.metric, e.fidelity) == (metric, fidelity))
    return found.low, found.value, found.high


def prospect(study: Study, trial: TrialRecord, quality: Callable[[str], Ends]) -> Prospect:
    """The trial's point with its latencies as well as they are known, and the ends of `quality` by metric."""
    assert trial.architecture is not None
    arch = Architecture.from_json(trial.architecture.json)

    def ends(objective: Objective) -> list[float]:
        """Best, expected, worst."""
        found = (trial.values[objective.name],) * 3
        if objective.metric in QUALITIES:
            found = quality(objective.metric)
        elif objective.device and (told := study.latency(arch, objective.device)):
            found = told[:3]
        return sorted(objective.minimised(value) for value in found)

    return Prospect(*zip(*map(ends, study.config.objectives), strict=True))
