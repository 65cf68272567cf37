"""Recipes that were best for other models of the database: the first ones to try here."""

import math
from collections.abc import Sequence

from search.state.ledger import Ledger
from search.tuning.seen import Numbers, numbers_of, recipes_of
from search.tuning.space import Candidate, RecipeSpace, Steps, settings_of


def earlier_recipes(ledger: Ledger, study_id: int, space: RecipeSpace, max_drop: float, most: int) -> list[Candidate]:
    """At most `most` recipes of the space, the newest study first: the nearest one to the best of each earlier study.

    Best is the fastest within `max_drop` points of its own start, each against that start on its own device. What a
    short look found does not count. Cost: reads all studies' variants.
    """
    found: list[Candidate] = []
    for study in reversed(ledger.studies()):
        if study.id == study_id or len(found) >= most:
            continue
        steps = _best_of(ledger, study.id, max_drop)
        nearest = nearest_in(space, steps) if steps else None
        if nearest is not None and nearest not in found:
            found.append(nearest)
    return found[:most]


def _best_of(ledger: Ledger, study_id: int, max_drop: float) -> Steps | None:
    """The steps of the recipe that made one of a study's networks fastest, or equally fast and smallest."""
    starts: dict[int, Numbers] = {}
    rated: list[tuple[float, Steps]] = []
    for variant, candidate in recipes_of(ledger.variants(study_id)):
        judge = next((m.fingerprint for m in variant.measurements if m.metric == "latency_ms"), "")
        numbers = numbers_of(variant, judge)
        if numbers is None or "look" in variant.config:
            continue
        start = starts.setdefault(candidate.start, numbers)
        if candidate.steps and 100 * (start.accuracy - numbers.accuracy) <= max_drop:
            gain = math.log(numbers.latency_ms / start.latency_ms) + 0.02 * math.log(
                numbers.size_bytes / start.size_bytes
            )
            rated.append((gain, candidate.steps))
    return min(rated, key=lambda one: one[0], default=(0.0, None))[1]


def nearest_in(space: RecipeSpace, steps: Steps) -> Candidate | None:
    """The recipe of the space with the longest legal part of these steps, each with the nearest settings there are."""
    known = [(name, step) for name, step in steps if name in space.choices]
    names = tuple(name for name, _ in known)
    able = [order for order in space.orders if _is_part(order, names)]
    if not able:
        return None
    order = max(able, key=len)
    given = dict(known)
    return Candidate(0, tuple((name, _nearest(space.choices[name], given[name])) for name in order))


def _is_part(order: Sequence[str], names: Sequence[str]) -> bool:
    """Whether all of `order` is in `names`, in that sequence."""
    left = iter(names)
    return all(name in left for name in order)


def _nearest(choices, step):  # noqa: ANN001, ANN202
    wanted = settings_of(step)

    def distance(choice) -> float:  # noqa: ANN001
        return sum(_apart(value, wanted.get(field)) for field, value in settings_of(choice).items())

    return min(choices, key=distance)


def _apart(one: object, other: object) -> float:
    """0 for equal settings, 1 for other words, less for numbers that are near."""
    if one == other:
        return 0.0
    if isinstance(one, int | float) and isinstance(other, int | float) and not isinstance(one, bool):
        return min(1.0, abs(one - other) / max(abs(one), abs(other), 1e-9))
    return 1.0
