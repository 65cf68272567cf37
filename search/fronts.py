"""The measured front: nothing enters it by a prediction alone."""

import math
from collections.abc import Sequence
from functools import partial

from search.latency.measuring import SHIPPING, measure_architecture
from search.latency.reach import when_reachable
from search.objectives import front, hypervolume
from search.state.records import TrialRecord
from search.study import Study
from spaces.architecture import Architecture

KIND = "fronts"  # of the event that says who is on them


def measured_front(study: Study, origin: str, exporter: str, exports: int) -> list[TrialRecord]:
    """The Pareto front of what was measured and keeps the latency limits, best first objective first.

    Measures with `exporter` every trial that the best known values put on the front and that may keep the limits, the
    most promising first, until all of the front is measured so or `exports` are used up. Then only what was measured at
    all, and keeps the limits with the upper end of its interval, may be on it: empty where nothing does.
    """
    left = exports
    done = [trial for trial in study.of(origin) if trial.state == "done"]
    while True:
        able = [trial for trial in done if is_candidate(study, trial, exporter)]
        best = [able[i] for i in front([study.point(trial) for trial in able])]
        waiting = [trial for trial in best if not is_measured_with(study, trial, exporter)]
        if not waiting or left <= 0:
            break
        for trial in spread(study, waiting, min(left, len(waiting))):
            study.watch.check()
            measure_trial(study, trial, exporter)
            left -= 1
            study.watch.advance(exports - left, f"{trial.origin} front")
    known = [trial for trial in done if study.is_measured(trial) and is_within_limits(study, trial)]
    return [known[i] for i in front([study.point(trial) for trial in known])]


def record_fronts(study: Study, front: Sequence[TrialRecord], random_front: Sequence[TrialRecord]) -> None:
    """Write who is on the fronts, before any of them is developed."""
    numbers = [[trial.number for trial in trials] for trials in (front, random_front)]
    told = f"{len(front)} networks on the measured front, {len(random_front)} on that of random ones"
    study.event(KIND, told, {"search": numbers[0], "random": numbers[1]})


def recorded_fronts(study: Study) -> tuple[list[TrialRecord], list[TrialRecord]] | None:
    """What `record_fronts` wrote; None before."""
    told = study.ledger.event_data(study.id, KIND)
    by_number = {trial.number: trial for trial in study.trials}
    found = [[by_number[number] for number in told[-1][origin]] for origin in ("search", "random")] if told else None
    return (found[0], found[1]) if found else None


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


def is_candidate(study: Study, trial: TrialRecord, exporter: str) -> bool:
    """Measured with `exporter` and within the limits; or not yet measured so, and not surely outside of them."""
    if is_measured_with(study, trial, exporter):
        return is_within_limits(study, trial)
    return all(low <= limit for _, low, _, limit in limited(study, trial))


def is_within_limits(study: Study, trial: TrialRecord) -> bool:
    """The upper end of each latency's interval keeps its limit: a value at the limit is above it half of the times that
    it is measured. (Exact limits were checked before the trial.)"""
    return all(high <= limit for _, _, high, limit in limited(study, trial))


def limited(study: Study, trial: TrialRecord) -> list[tuple[float, float, float, float]]:
    """(latency, low, high, limit) of the trial for each latency limit of the study, as well as it is known now."""
    assert trial.architecture is not None
    arch, found = Architecture.from_json(trial.architecture.json), []
    for name, limit in study.config.limits.items():
        if "@" in name:
            told = study.latency(arch, name.partition("@")[2])
            value, low, high = told[:3] if told else (trial.values[name],) * 3
            found.append((value, low, high, limit))
    return found


def nearest_miss(study: Study) -> str:
    """Why the front is empty: the trial that comes nearest to the latency limits, for the message."""
    done = [trial for trial in study.of("search") if trial.state == "done"]
    if not done:
        return "no network of the search could be screened; `search status` says why."
    best = min(done, key=lambda trial: max((high / limit for _, _, high, limit in limited(study, trial)), default=0.0))
    names = [name for name in study.config.limits if "@" in name]
    told = [
        f"{name} <= {limit:g} with {value:.4g} [{low:.4g}, {high:.4g}]"
        for name, (value, low, high, limit) in zip(names, limited(study, best), strict=True)
    ]
    return (
        "no network that was measured keeps the latency limits with the upper end of its interval. Nearest is trial "
        f"{best.number}: {'; '.join(told)}. Raise the limit, `search.trials` or `search.exports`, or add smaller "
        "widths and depths to `space`."
    )


def spread(study: Study, trials: Sequence[TrialRecord], keep: int) -> list[TrialRecord]:
    """The `keep` trials that together dominate most, up to the worst of all done trials and 5 % more: greedy in
    hypervolume, so ends and knee get a turn. A cost counts by its logarithm: twice as fast is worth as much at either
    end."""
    worst = [max(column) for column in zip(*(_place(study, t) for t in study.trials if t.state == "done"), strict=True)]
    corner = [
        value + (0.05 if is_ratio else 0.05 * abs(value))
        for value, is_ratio in zip(worst, _are_ratios(study), strict=True)
    ]
    chosen, left = list[TrialRecord](), list(trials)
    while left and len(chosen) < keep:
        best = max(left, key=lambda trial: hypervolume([_place(study, t) for t in [*chosen, trial]], corner))
        chosen.append(best)
        left.remove(best)
    return chosen


def _place(study: Study, trial: TrialRecord) -> tuple[float, ...]:
    """A trial's values, all to be made small, of costs their logarithms."""
    pairs = zip(study.point(trial), _are_ratios(study), strict=True)
    return tuple(math.log(max(value, 1e-9)) if is_ratio else value for value, is_ratio in pairs)


def _are_ratios(study: Study) -> list[bool]:
    """Which objectives are costs, to be made small."""
    return [o.metric not in ("loss", "accuracy") and o.direction == "min" for o in study.config.objectives]
