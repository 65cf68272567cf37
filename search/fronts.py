"""The measured front: nothing enters it by a prediction alone."""

from collections.abc import Sequence
from functools import partial

from search.latency.measuring import SHIPPING, measure_architecture
from search.latency.reach import when_reachable
from search.objectives import front, hypervolume
from search.state.records import TrialRecord
from search.study import Study
from spaces.architecture import Architecture


def measured_front(study: Study, origin: str, exporter: str, exports: int) -> list[TrialRecord]:
    """The Pareto front of what was measured, within the latency limits, best first objective first.

    Measures with `exporter` every trial that the best known values put on the front, the most promising first, until
    all of the front is measured so or `exports` are used up; then only what was measured at all may be on it.
    """
    left = exports
    while True:
        done = [trial for trial in study.of(origin) if trial.state == "done" and is_within_limits(study, trial)]
        best = [done[i] for i in front([study.point(trial) for trial in done])]
        waiting = [trial for trial in best if not is_measured_with(study, trial, exporter)]
        if not waiting or left <= 0:
            break
        for trial in spread(study, waiting, min(left, len(waiting))):
            study.watch.check()
            measure_trial(study, trial, exporter)
            left -= 1
            study.watch.advance(exports - left, f"{trial.origin} front")
    known = [trial for trial in done if study.is_measured(trial)]
    return [known[i] for i in front([study.point(trial) for trial in known])]


def is_measured_with(study: Study, trial: TrialRecord, exporter: str) -> bool:
    """Measured on every device of the study; where `exporter` is the one that ships, through that one."""
    found = [study.measured.get((trial.architecture_id, device)) for device in study.devices]
    return all(m is not None and m.details.get("exporter") in (exporter, SHIPPING) for m in found)


def measure_trial(study: Study, trial: TrialRecord, exporter: str) -> None:
    """Measure a trial on every device that the study decides by, and teach the predictors."""
    assert trial.architecture is not None
    arch = Architecture.from_json(trial.architecture.json)
    for device in study.devices:
        when_reachable(study, device, partial(measure_architecture, arch, device, study, exporter))
        study.refit(device)


def is_within_limits(study: Study, trial: TrialRecord) -> bool:
    """No latency limit is broken by the best known value (exact limits were checked before the trial)."""
    values = study.values(trial)
    return all(values.get(name, 0.0) <= limit for name, limit in study.config.limits.items() if "@" in name)


def reference_point(study: Study) -> tuple[float, ...]:
    """The corner from which hypervolumes of this study are counted: the worst value of each objective among all done
    trials, search and random alike, plus 5 %."""
    points = [study.point(trial) for trial in study.trials if trial.state == "done"]
    return tuple(worst + 0.05 * abs(worst) for worst in map(max, zip(*points, strict=True)))


def spread(study: Study, trials: Sequence[TrialRecord], keep: int) -> list[TrialRecord]:
    """The `keep` trials that together dominate most: greedy in hypervolume, so ends and knee get a turn."""
    corner, chosen = reference_point(study), list[TrialRecord]()
    left = list(trials)
    while left and len(chosen) < keep:
        best = max(left, key=lambda trial: hypervolume([study.point(t) for t in [*chosen, trial]], corner))
        chosen.append(best)
        left.remove(best)
    return chosen
