"""What was seen of recipes so far, read back from the records of their variants. No I/O."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from compress.measurement import Measurement, sessions_of
from compress.recipe import STEPS
from search.objectives import front
from search.state.records import Evaluation, VariantRecord
from search.tuning.space import Candidate, Steps

LOOK = "look"  # in a variant's config: {"images": share, "epochs": of the whole step} of one that was only looked at
DROP = "accuracy_drop"  # an evaluation: points lost against the reference, paired, with its 90 % interval


@dataclass(frozen=True)
class Numbers:
    """What a variant's file is worth. drop, low, high: points of accuracy lost against the reference network on the
    same images, with the paired 90 % interval. broken: a limit of the recipe file is."""

    accuracy: float
    drop: float
    low: float
    high: float
    latency_ms: float
    size_bytes: float
    broken: bool = False


@dataclass(frozen=True)
class Seen:
    """A recipe that was tried. is_look: in short only. numbers: None where a step could not be taken. id: the
    variant's; 0 where there is none, in a benchmark."""

    candidate: Candidate
    is_look: bool
    numbers: Numbers | None
    seconds: float = 0.0
    id: int = 0


def fits(numbers: Numbers, max_drop: float) -> bool:
    """Within the limits, and the accuracy lost is within the budget, if by a hair."""
    return not numbers.broken and numbers.drop <= max_drop


def fits_surely(numbers: Numbers, max_drop: float) -> bool:
    """The same, and the paired test excludes a loss above the budget (95 % confidence)."""
    return not numbers.broken and numbers.high <= max_drop


def goal(numbers: Numbers) -> float:
    """What is made as small as can be within the budget: latency, and of equally fast ones the size."""
    return math.log(numbers.latency_ms) + 0.02 * math.log(numbers.size_bytes)


def best(seen: Sequence[Seen], max_drop: float) -> Seen | None:
    """The best so far, starts included: of what surely keeps the budget that with the least goal, if it is better than
    every start; else, where images are too few to be sure of any, of what keeps it. None: nothing does.
    """
    whole = [one for one in seen if not one.is_look and one.numbers is not None]
    given = [one for one in whole if not one.candidate.steps]
    for test in (fits_surely, fits):
        able = [one for one in whole if one.numbers and test(one.numbers, max_drop)]
        found = min(able, key=_goal, default=None)
        if found is not None and (found.candidate.steps or test is fits):
            return found
    return min((one for one in given if one.numbers and not one.numbers.broken), key=_goal, default=None)


def _goal(seen: Seen) -> float:
    return goal(seen.numbers) if seen.numbers else math.inf


def front_of(seen: Sequence[Seen], max_drop: float) -> list[Seen]:
    """Of what was tried in whole, meets the limits and loses at most `max_drop` points, what nothing beats on accuracy,
    latency and size; the fastest first."""
    able = [one for one in seen if not one.is_look and one.numbers and fits(one.numbers, max_drop)]
    points = [(-n.accuracy, n.latency_ms, n.size_bytes) for one in able if (n := one.numbers)]
    return sorted((able[i] for i in front(points)), key=lambda one: one.numbers.latency_ms if one.numbers else 0.0)


def seen_of(
    variants: Sequence[VariantRecord], judge: str, is_within: Callable[[VariantRecord], bool] = lambda _: True
) -> list[Seen]:
    """What the recorded variants of a tuned study say, in the order they were made; starts are among them.

    judge: fingerprint of the device whose latency counts.
    """
    found = []
    for variant, candidate in recipes_of(variants):
        numbers = numbers_of(variant, judge)
        if numbers is not None:
            numbers = replace(numbers, broken=not is_within(variant))
        found.append(Seen(candidate, LOOK in variant.config, numbers, variant.seconds, variant.id or 0))
    return found


def recipes_of(variants: Sequence[VariantRecord]) -> Iterator[tuple[VariantRecord, Candidate]]:
    """Every variant with the recipe that made it; starts in the order they were recorded.

    A variant whose step is not installed any more is left out, with what was made of it.
    """
    made: dict[int, Candidate] = {}
    for variant in variants:
        if variant.role != "winner" or variant.id is None:
            continue
        base = next((parent.id for parent in variant.parents if parent.role == "base"), None)
        if base is None:
            start = sum(not candidate.steps for candidate in made.values())
            made[variant.id] = Candidate(start, ())
        elif base in made:
            try:
                steps: Steps = (*made[base].steps, (variant.step, step_of(variant)))
            except (ValueError, TypeError):
                continue
            made[variant.id] = replace(made[base], steps=steps)
        else:
            continue
        yield variant, made[variant.id]


def step_of(variant: VariantRecord) -> Any:
    """The step that made a variant, with the settings it has in whole. Raises: ValueError, TypeError: if it is gone."""
    settings = {key: value for key, value in variant.config.items() if key not in ("name", LOOK)}
    look = variant.config.get(LOOK) or {}
    if "epochs" in look:
        settings["epochs"] = look["epochs"]
    return STEPS.get(variant.step)(**settings)


def numbers_of(variant: VariantRecord, judge: str) -> Numbers | None:
    """What a variant is worth; None where it was never made."""
    accuracy, drop = (_evaluation(variant, metric) for metric in ("accuracy", DROP))
    latency, size = (
        latency_of(variant, judge),
        next((m for m in variant.measurements if m.metric == "size_bytes"), None),
    )
    if accuracy is None or latency is None or size is None:
        return None
    lost = (drop.value, drop.low, drop.high) if drop else (0.0, 0.0, 0.0)
    return Numbers(accuracy.value, *lost, latency.value, size.value)


def latency_of(variant: VariantRecord, judge: str) -> Measurement | None:
    """Its latency on the device of that fingerprint: the one of most sessions, of these the newest."""
    found = [m for m in variant.measurements if m.metric == "latency_ms" and m.fingerprint == judge]
    return max(reversed(found), key=sessions_of, default=None)


def _evaluation(variant: VariantRecord, metric: str) -> Evaluation | None:
    return next((e for e in variant.evaluations if e.metric == metric and e.split == "validation"), None)
