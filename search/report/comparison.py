"""What was made of the winners, beside the baselines: chains of steps, and whether the search won. No I/O."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from search.report.summary import RANK, Quantity, describe, evaluation_of, quantity_of
from search.state.recorded import Recorded
from search.state.records import ASSISTANT, VariantRecord, is_teacher

TEACH = "Train longer, add examples, or search larger networks."
EQUAL_WITHIN = 0.02  # latencies of fresh sessions differ by about as much, whatever their intervals say
Outcome = Literal["won", "lost", "trade", "even", "open"]  # open: the shipped network may be guessing
SAID: Mapping[Outcome, str] = {
    "won": "the search won",
    "lost": "the search lost",
    "trade": "a trade, not a win",
    "even": "no clear difference",
}


@dataclass(frozen=True)
class Model:
    """A variant with what is known of it. accuracy, loss: on validation, through the exported file where there is one.

    `latencies` by name (latency_ms@here); `chain` is the id of the first variant of its chain, `base` of the last.
    """

    id: int
    chain: int
    base: int | None
    name: str
    role: str
    step: str
    precision: str
    config: Mapping[str, Any]
    verdict: str
    reason: str
    is_shipped: bool
    description: str
    accuracy: Quantity | None
    loss: Quantity | None
    test_accuracy: Quantity | None
    latencies: Mapping[str, Quantity]
    size_bytes: int | None
    params: int
    macs: int
    seconds: float
    file: str | None

    @property
    def latency(self) -> Quantity | None:
        """On the device that judges: the first one."""
        return next(iter(self.latencies.values()), None)

    @property
    def epochs(self) -> int:
        """How long the step trained; 0 where it does not train."""
        return int(self.config.get("epochs", 0))


@dataclass(frozen=True)
class Comparison:
    """Shipped against baseline. `accuracy_points`: the difference and its 95 % interval in points, on `split`;
    `speedup`: baseline's latency / shipped's, with interval; `size_ratio`: shipped / baseline."""

    shipped: Model
    baseline: Model
    split: str
    accuracy_points: tuple[float, float, float] | None
    speedup: tuple[float, float, float] | None
    size_ratio: float | None
    outcome: Outcome
    sentence: str


def models(recorded: Recorded) -> tuple[Model, ...]:
    """All variants of a study in the order they were made."""
    by_id = {variant.id: variant for variant in recorded.variants}
    numbers = {trial.id: trial.number for trial in recorded.trials}
    devices = list(recorded.study.config.get("devices") or {"here": {}})
    return tuple(_model(variant, by_id, numbers, devices) for variant in recorded.variants)


def chains(found: Sequence[Model], role: str = "winner") -> dict[int, tuple[Model, ...]]:
    """The models of one role by the first of their chain, each in the order its steps were tried."""
    grouped: dict[int, list[Model]] = {}
    for model in found:
        if model.role == role:
            grouped.setdefault(model.chain, []).append(model)
    return {first: tuple(steps) for first, steps in grouped.items()}


def rivals(found: Sequence[Model]) -> tuple[Model, ...]:
    """Of every baseline's chain the model that was chosen to be asked about the test images, else the last one kept."""
    chosen = []
    for steps in chains(found, "baseline").values():
        kept = [model for model in steps if model.verdict != "rejected"]
        tested = [model for model in kept if model.test_accuracy]
        chosen += (tested or kept)[-1:]
    return tuple(chosen)


def value_of(model: Model, name: str) -> Quantity | None:
    """A model's value by the name of an objective, such as latency_ms@here; None if it is not known."""
    metric = name.partition("@")[0]
    if metric in ("params", "macs"):
        n = float(getattr(model, metric))
        return Quantity(n, n, n, "exact")
    return {"loss": model.loss, "accuracy": model.accuracy}.get(metric) or model.latencies.get(name)


def best_shipped(found: Sequence[Model]) -> Model | None:
    """Of the shipped models the one with the least validation loss: all keep the limits, so quality decides."""
    shipped = [model for model in found if model.is_shipped]
    return min(shipped, key=lambda m: (m.loss.value if m.loss else math.inf, m.id), default=None)


def may_guess(model: Model, guess: float | None) -> bool:
    """Whether a model is not shown to be right more often than who always answers the commonest class. guess: on what
    share of the validation examples that is right, None if it is not known."""
    return guess is not None and model.accuracy is not None and model.accuracy.low <= guess


def compare(found: Sequence[Model], guess: float | None = None) -> tuple[Comparison, ...]:
    """The best shipped model against the best of every baseline; empty while nothing is shipped, and for stitched
    networks. guess: see `may_guess`; of a shipped network that may, no win is claimed."""
    shipped = best_shipped(found)
    if shipped is None or shipped.step == "stitch" or shipped.role == "baseline":
        return ()
    baselines = rivals(found)
    epochs = {model.id: _epochs(model, found) for model in (shipped, *baselines)}
    return tuple(_compare(shipped, model, epochs, guess) for model in baselines)


def difference(one: Quantity, other: Quantity) -> tuple[float, float, float]:
    """one - other in points with a 95 % interval, as of independent samples. Source: Newcombe 1998, method 10.

    Both were asked about the same images, so the truth is, if anything, known better than this says.
    """
    gap = one.value - other.value
    below = math.hypot(one.value - one.low, other.high - other.value)
    above = math.hypot(one.high - one.value, other.value - other.low)
    return 100 * gap, 100 * (gap - below), 100 * (gap + above)


def _epochs(model: Model, found: Sequence[Model]) -> int:
    """How long a model's own weights were trained, over the steps of its chain."""
    by_id = {each.id: each for each in found}
    steps, at = [model], model
    while at.id != at.chain and at.base in by_id:
        at = by_id[at.base]
        steps.append(at)
    return sum(step.epochs for step in steps)


def _compare(shipped: Model, baseline: Model, epochs: Mapping[int, int], guess: float | None) -> Comparison:
    """epochs: what the weights of each of the two were trained for, by its id."""
    split, ours, theirs = "test", shipped.test_accuracy, baseline.test_accuracy
    if ours is None or theirs is None:
        split, ours, theirs = "validation", shipped.accuracy, baseline.accuracy
    points = difference(ours, theirs) if ours and theirs else None
    fast = speedup(shipped, baseline)
    sizes = shipped.size_bytes, baseline.size_bytes
    size_ratio = sizes[0] / sizes[1] if sizes[0] and sizes[1] else None
    signs = [_sign(points[1], points[2], 0.0) if points else 0, _pace(fast) if fast else 0]
    outcome = _outcome(signs[0], signs[1], may_guess(shipped, guess), may_guess(baseline, guess))
    parts = [
        text for text in (_pace_text(fast, shipped, baseline), _accuracy_text(points, ours, theirs, split)) if text
    ]
    if size_ratio:
        parts.append(f"its file has {size_ratio:.2f} times the size")
    said = SAID.get(outcome) or _withheld(may_guess(baseline, guess))
    sentence = f"Against the {baseline.name}: {said}. The shipped network {'; '.join(parts)}."
    longer, shorter = epochs[baseline.id], epochs[shipped.id]
    if outcome == "open":
        sentence += f" {TEACH}"
    elif signs[0] < 0 and longer > shorter:
        sentence += (
            f" It was trained for {shorter} epochs of its own, the {baseline.name} for {longer}: "
            "raise `compress.alone_epochs`, or train it on with `search compress --variant`."
        )
    return Comparison(shipped, baseline, split, points, fast, size_ratio, outcome, sentence)


def _outcome(accuracy: int, pace: int, ours_may_guess: bool, theirs_may_guess: bool) -> Outcome:
    """accuracy, pace: 1 where the shipped network is clearly better, -1 where it is clearly worse. One that may be
    guessing has lost to one that learned more, however fast it is, and is not compared with the others."""
    if ours_may_guess:
        return "lost" if accuracy < 0 and not theirs_may_guess else "open"
    better, worse = 1 in (accuracy, pace), -1 in (accuracy, pace)
    if better and worse:
        return "trade"
    return "won" if better else "lost" if worse else "even"


def _withheld(both: bool) -> str:
    """In place of a verdict. both: whether the baseline may be guessing, too."""
    if both:
        return "nothing can be concluded about either network until they learn the task"
    return "nothing can be concluded until the shipped network learns the task"


def speedup(one: Model, other: Model) -> tuple[float, float, float] | None:
    """(ratio, low, high): how many times as fast `one` is as `other`, on the first device that measured both."""
    for name, ours in one.latencies.items():
        theirs = other.latencies.get(name)
        if theirs is not None and ours.low > 0:
            return theirs.value / ours.value, theirs.low / ours.high, theirs.high / ours.low
    return None


def _pace(fast: tuple[float, float, float]) -> int:
    return 0 if abs(math.log(fast[0])) <= math.log1p(EQUAL_WITHIN) else _sign(fast[1], fast[2], 1.0)


def _sign(low: float, high: float, neutral: float) -> int:
    return 1 if low > neutral else -1 if high < neutral else 0


def _pace_text(fast: tuple[float, float, float] | None, shipped: Model, baseline: Model) -> str:
    if fast is None or shipped.latency is None or baseline.latency is None:
        return ""
    times = f"({shipped.latency.value:.3g} against {baseline.latency.value:.3g} ms)"
    pace = _pace(fast)
    if pace == 0:
        return f"is as fast as far as the measurements can tell {times}"
    return f"is {fast[0]:.2f} times as fast {times}" if pace > 0 else f"is {1 / fast[0]:.2f} times slower {times}"


def _accuracy_text(
    points: tuple[float, float, float] | None, ours: Quantity | None, theirs: Quantity | None, split: str
) -> str:
    if points is None or ours is None or theirs is None:
        return ""
    gap, low, high = points
    unsure = ", too few to tell them apart" if low <= 0 <= high else ""
    return (
        f"is right on {100 * ours.value:.1f} % of {ours.n} {split} examples against {100 * theirs.value:.1f} %: "
        f"{gap:+.1f} points, 95 % interval {low:+.1f} to {high:+.1f}{unsure}"
    )


def _model(
    variant: VariantRecord,
    by_id: Mapping[int | None, VariantRecord],
    numbers: Mapping[int | None, int],
    devices: Sequence[str],
) -> Model:
    first = variant
    while (before := by_id.get(_base(first))) is not None and before.role == variant.role:
        first = before
    row = variant.architecture
    exact = {m.metric: int(m.value) for m in variant.measurements if m.metric != "latency_ms"}
    return Model(
        id=variant.id or 0,
        chain=first.id or 0,
        base=_base(variant),
        name=_name(variant, numbers.get(first.trial_id)),
        role=variant.role,
        step=variant.step,
        precision=variant.precision,
        config=variant.config,
        verdict=variant.verdict,
        reason=variant.reason,
        is_shipped=variant.is_shipped,
        description=describe(row.json) if row else variant.architecture_id[:12],
        accuracy=evaluation_of(variant.evaluations, "accuracy", "validation"),
        loss=evaluation_of(variant.evaluations, "loss", "validation"),
        test_accuracy=evaluation_of(variant.evaluations, "accuracy", "test"),
        latencies=_latencies(variant, devices),
        size_bytes=exact.get("size_bytes"),
        params=exact.get("params", row.params if row else 0),
        macs=exact.get("macs", row.macs if row else 0),
        seconds=variant.seconds,
        file=variant.model,
    )


def _latencies(variant: VariantRecord, devices: Sequence[str]) -> dict[str, Quantity]:
    """By name; of several the best kind, then the newest."""
    found: dict[str, Quantity] = {}
    for m in variant.measurements:
        name = f"latency_ms@{devices[0] if len(devices) == 1 else m.device}"
        if m.metric == "latency_ms" and (name not in found or RANK[m.kind] >= RANK[found[name].kind]):
            found[name] = quantity_of(m)
    order = {f"latency_ms@{device}": index for index, device in enumerate(devices)}
    return dict(sorted(found.items(), key=lambda item: order.get(item[0], len(order))))


def _base(variant: VariantRecord) -> int | None:
    return next((parent.id for parent in variant.parents if parent.role == "base"), None)


def _name(variant: VariantRecord, number: int | None) -> str:
    if variant.role == "winner":
        unnamed = f"architecture {variant.architecture_id[:8]}" if number is None else f"trial {number}"
        return str(variant.config.get("name") or unnamed)
    if variant.role == "teacher":
        return "teacher" if is_teacher(variant) else ASSISTANT
    name = str(variant.config.get("name", variant.step))
    known = {"hand-made": "hand-made network", "random search": "best of as many random networks"}
    return known.get(name, name)
