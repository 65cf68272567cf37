"""What a study found, from its records: points, fronts and how much of the space of values they cover. No I/O.

The commands, the report and the dashboard all show these numbers, so each is worked out here and nowhere else.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

from compress.measurement import Kind, Measurement
from search.config.fields import limit
from search.latency.precision import FLOAT, NETWORK_METRICS
from search.objectives import Objective, front, hypervolume, minimised
from search.state.recorded import Recorded
from search.state.records import Evaluation, TrialRecord

Key = tuple[str, str]  # architecture id, name of a latency such as latency_ms@here
RANK: dict[Kind, int] = {"predicted": 0, "simulated": 1, "measured": 2, "exact": 3}
MARGIN = 0.1


@dataclass(frozen=True)
class Quantity:
    """A number with its 95 % interval (low = high = value where there is none) and how it came about."""

    value: float
    low: float
    high: float
    kind: Kind
    n: int = 0
    engine: str = ""  # what ran the file, of a latency

    @property
    def has_interval(self) -> bool:
        """An interval wider than the value itself is known."""
        return self.low < self.high


def quantity_of(m: Measurement) -> Quantity:
    """A measurement as it is shown."""
    return Quantity(m.value, m.low, m.high, m.kind, m.repeats, str(m.details.get("engine", "")))


@dataclass(frozen=True)
class Point:
    """A finished trial with its best known values by objective; `limits_broken` names limits that the upper end of
    its interval exceeds."""

    number: int
    origin: str
    architecture_id: str
    description: str
    values: Mapping[str, Quantity]
    accuracy: Quantity | None
    params: int
    macs: int
    limits_broken: tuple[str, ...]
    on_front: bool = False

    @property
    def is_measured(self) -> bool:
        """None of its values is a prediction: only then may it enter a front."""
        return all(value.kind != "predicted" for value in self.values.values())


def value_at(point: Point, name: str) -> Quantity | None:
    """A point's value by the name of an objective or a count; None if it is not known."""
    if name in ("params", "macs"):
        n = float(getattr(point, name))
        return Quantity(n, n, n, "exact")
    return point.values.get(name)


@dataclass(frozen=True)
class Coverage:
    """How much of the box between `ideal` and `reference` each front dominates, 0 to 1.

    The box spans the two fronts: ideal is the best and reference the worst value on either of them, by objective and in
    its own unit, the reference a tenth of the range further out. So it is the study's own scale, not comparable between
    studies.
    """

    ideal: Mapping[str, float]
    reference: Mapping[str, float]
    search: float
    random: float
    sentence: str


@dataclass(frozen=True)
class Summary:
    """The trials' side of a study. Both fronts hold measured points only, in order of the first objective."""

    objectives: tuple[Objective, ...]
    limits: Mapping[str, float]
    points: tuple[Point, ...]
    failed: tuple[TrialRecord, ...]
    front: tuple[Point, ...]
    random_front: tuple[Point, ...]
    coverage: Coverage | None
    predictions: Mapping[str, tuple[tuple[Quantity, Quantity], ...]]  # by latency: (predicted, measured afterwards)
    precision: str = FLOAT  # of the files that trials were screened by


def summarise(recorded: Recorded) -> Summary:
    """Points, fronts, coverage and predictions of a recorded study."""
    objectives = objectives_of(recorded.study.config)
    limits = limits_of(recorded.study.config)
    known = latencies(recorded)
    done = [trial for trial in recorded.trials if trial.state == "done"]
    points = [_point(trial, known, limits, [o.name for o in objectives]) for trial in done]
    fronts = {
        origin: _front([p for p in points if (p.origin == "random") == (origin == "random")], objectives)
        for origin in ("search", "random")
    }
    chosen = {point.number for members in fronts.values() for point in members}
    return Summary(
        objectives=objectives,
        limits=limits,
        points=tuple(replace(point, on_front=point.number in chosen) for point in points),
        failed=tuple(trial for trial in recorded.trials if trial.state == "failed"),
        front=tuple(replace(point, on_front=True) for point in fronts["search"]),
        random_front=tuple(replace(point, on_front=True) for point in fronts["random"]),
        coverage=cover(fronts["search"], fronts["random"], objectives),
        predictions=_predictions(recorded),
        precision=screened_as(recorded),
    )


def objectives_of(config: Mapping[str, Any]) -> tuple[Objective, ...]:
    """The objectives of a recorded config, the quality first."""
    found = []
    for name, direction in (config.get("objectives") or {}).items():
        metric, _, device = str(name).partition("@")
        found.append(Objective(metric, "max" if direction == "max" else "min", device))
    return tuple(sorted(found, key=lambda o: o.metric not in ("loss", "accuracy")))


def screened_as(recorded: Recorded) -> str:
    """The precision of the files that a study's trials were measured as."""
    return str((recorded.study.config.get("search") or {}).get("screen", FLOAT))


def limits_of(config: Mapping[str, Any]) -> dict[str, float]:
    """The limits of a recorded config as numbers; `size` is size_bytes."""
    found = {}
    for name, text in (config.get("limits") or {}).items():
        number = limit(str(name), text)
        if number is not None:
            found["size_bytes" if name == "size" else str(name)] = number
    return found


def latencies(recorded: Recorded) -> dict[Key, Quantity]:
    """The best known latency of every architecture on every device of the study: measured before simulated before
    predicted, and of equals the newest.
    """
    found: dict[Key, Quantity] = {}
    for architecture_id, name, m in _latency_rows(recorded):
        key = architecture_id, name
        if key not in found or RANK[m.kind] >= RANK[found[key].kind]:
            found[key] = quantity_of(m)
    return found


def _latency_rows(recorded: Recorded) -> Iterator[tuple[str, str, Measurement]]:
    """(architecture id, name of the latency, measurement) of the study's architectures, oldest first.

    A device is recorded under the name that the first study gave it, so a study with one device takes it for its own.
    """
    devices = list(recorded.study.config.get("devices") or {"here": {}})
    for row in recorded.measurements:
        m = row.measurement
        if m.metric in NETWORK_METRICS.values() and row.variant_id is None and row.architecture_id is not None:
            yield row.architecture_id, f"latency_ms@{devices[0] if len(devices) == 1 else m.device}", m


def cover(search: Sequence[Point], random: Sequence[Point], objectives: Sequence[Objective]) -> Coverage | None:
    """The two fronts' hypervolumes in one box; None unless both have points that differ in every objective."""
    if not search or not random:
        return None
    boxed = shares([[_values(point, objectives) for point in members] for members in (search, random)])
    if boxed is None:
        return None
    ideal, widths, (ours, theirs) = boxed
    reference = [i + w for i, w in zip(ideal, widths, strict=True)]
    names = [objective.name for objective in objectives]
    signed = [
        {name: o.minimised(value) for name, o, value in zip(names, objectives, corner, strict=True)}
        for corner in (ideal, reference)
    ]
    return Coverage(signed[0], signed[1], ours, theirs, f"{covered(ours, theirs)}: {_verdict(ours, theirs)}")


def shares(
    fronts: Sequence[Sequence[tuple[float, ...]]],
) -> tuple[list[float], list[float], list[float]] | None:
    """(best corner of the box that all fronts span, its sides, the share of it that each front dominates); values are
    minimised. None unless they differ in every objective.
    """
    columns = list(zip(*(values for members in fronts for values in members), strict=True))
    ideal = [min(column) for column in columns]
    sides = [(max(column) - min(column)) * (1 + MARGIN) for column in columns]
    if not all(side > 0 for side in sides):
        return None
    unit = [[[(v - i) / w for v, i, w in zip(p, ideal, sides, strict=True)] for p in members] for members in fronts]
    return ideal, sides, [hypervolume(members, [1.0] * len(ideal)) for members in unit]


def covered(search: float, random: float) -> str:
    """What both fronts cover, without a verdict or a full stop."""
    return (
        f"The front of the search covers {search:.3f} of the box that both fronts span, "
        f"that of random networks {random:.3f}"
    )


def _verdict(search: float, random: float) -> str:
    if abs(search - random) < 0.01:
        return "no difference worth the name."
    winner = "the search won" if search > random else "the search did not win"
    return f"{winner}, in this one run (one seed gives no interval)."


def _values(point: Point, objectives: Sequence[Objective]) -> tuple[float, ...]:
    return minimised(objectives, {name: value.value for name, value in point.values.items()})


def _front(points: Sequence[Point], objectives: Sequence[Objective]) -> list[Point]:
    names = {objective.name for objective in objectives}
    able = [p for p in points if p.is_measured and not p.limits_broken and names <= p.values.keys()]
    return [able[index] for index in front([_values(point, objectives) for point in able])]


def _point(
    trial: TrialRecord, known: Mapping[Key, Quantity], limits: Mapping[str, float], first: Sequence[str]
) -> Point:
    """`first`: the values that come first, in this order."""
    values = {}
    for name in [*(n for n in first if n in trial.values), *(n for n in trial.values if n not in first)]:
        value = trial.values[name]
        evaluation = evaluation_of(trial.evaluations, name, "validation")
        told = Quantity(value, value, value, trial.kinds[name])
        better = known.get((trial.architecture_id, name))
        if evaluation is not None:
            told = evaluation
        elif better is not None and RANK[better.kind] >= RANK[told.kind]:
            told = better
        values[name] = told
    row = trial.architecture
    params, macs = (row.params, row.macs) if row else (0, 0)
    costs = {name: value.high for name, value in values.items()} | {"params": params, "macs": macs}  # a limit must hold
    return Point(
        number=trial.number,
        origin=trial.origin,
        architecture_id=trial.architecture_id,
        description=describe(row.json) if row else trial.architecture_id[:12],
        values=values,
        accuracy=evaluation_of(trial.evaluations, "accuracy", "validation"),
        params=params,
        macs=macs,
        limits_broken=tuple(name for name, most in limits.items() if costs.get(name, 0.0) > most),
    )


def evaluation_of(
    evaluations: Sequence[Evaluation], metric: str, split: Literal["train", "validation", "test"]
) -> Quantity | None:
    """The last evaluation of that metric on that split; None if it was never asked. After a short training only some
    networks were asked: that is left out."""
    for e in reversed(evaluations):
        if (e.metric, e.split) == (metric, split) and e.fidelity != "short":
            return Quantity(e.value, e.low, e.high, "exact", e.n)
    return None


def _predictions(recorded: Recorded) -> dict[str, tuple[tuple[Quantity, Quantity], ...]]:
    """Networks measured when only a prediction was known, which the predictor had not learned from: its honest test."""
    found: dict[str, list[tuple[Quantity, Quantity]]] = {}
    for _, name, m in _latency_rows(recorded):
        if "predicted_ms" in m.details:
            told, low, high = (float(m.details[f"predicted_{end}ms"]) for end in ("", "low_", "high_"))
            pair = Quantity(told, low, high, "predicted"), quantity_of(m)
            found.setdefault(name, []).append(pair)
    return {name: tuple(pairs) for name, pairs in found.items()}


@lru_cache(maxsize=4096)
def describe(architecture_json: str) -> str:
    """One line for people; an architecture of blocks that are not installed here is described by nothing but that."""
    from compress.foreign import description_of  # brings torch, which a list of studies does not need

    try:
        return description_of(architecture_json).describe()
    except (ValueError, KeyError, TypeError):
        return "(blocks that are not installed here)"
