"""Limits that need no evaluation, and the architecture nearest to them."""

import random
from collections.abc import Callable, Mapping

from search.errors import Infeasible
from spaces.architecture import Architecture
from spaces.counts import Counts, count
from spaces.space import SearchSpace, mutate, sample, smallest

RANDOM_TRIES, CLIMB_TRIES = 200, 2000
INT8_BYTES, FLOAT_BYTES = 1, 4


def exact_values(counts: Counts, weight_bytes: int) -> dict[str, float]:
    """What exact limits speak of. size_bytes is what the weights alone take; the exported file's is checked later."""
    return {
        "params": counts.params,
        "macs": counts.macs,
        "peak_bytes": counts.peak_bytes,
        "size_bytes": weight_bytes * counts.params,
    }


def excess(values: Mapping[str, float], limits: Mapping[str, float]) -> dict[str, float]:
    """{limit: value / limit} of the limits that are broken."""
    return {name: values[name] / limit for name, limit in limits.items() if name in values and values[name] > limit}


def total_excess(arch: Architecture, limits: Mapping[str, float], weight_bytes: int) -> float:
    """By how much all broken limits are exceeded, relative to each; 0 if the architecture is feasible."""
    return sum(ratio - 1 for ratio in excess(exact_values(count(arch), weight_bytes), limits).values())


def feasible_sample(
    space: SearchSpace,
    limits: Mapping[str, float],
    weight_bytes: int,
    rng: random.Random,
    start: Architecture | None = None,
) -> Architecture:
    """A random feasible architecture. Where most are infeasible, walks downhill in total excess instead of rejecting.

    Raises: Infeasible: if none is found, naming the nearest one and what it exceeds.
    """
    arch = start or sample(space, rng)
    if not limits:
        return arch
    for _ in range(RANDOM_TRIES if start is None else 0):
        if total_excess(arch, limits, weight_bytes) == 0:
            return arch
        arch = sample(space, rng)
    best, least = arch, total_excess(arch, limits, weight_bytes)
    for attempt in range(CLIMB_TRIES):
        if least == 0:
            return best
        candidate = smallest(space, rng) if attempt == CLIMB_TRIES // 2 else mutate(space, best, rng, 0.15)
        value = total_excess(candidate, limits, weight_bytes)
        if value <= least:
            best, least = candidate, value
    if least == 0:
        return best
    raise Infeasible(describe_infeasible(best, limits, weight_bytes))


def describe_infeasible(arch: Architecture, limits: Mapping[str, float], weight_bytes: int) -> str:
    """The message for a space in which nothing is feasible."""
    values = exact_values(count(arch), weight_bytes)
    broken = [
        f"{name} is {values[name]:,.0f}, limit {limits[name]:,.0f} ({ratio:,.{0 if ratio >= 100 else 2}f} times)"
        for name, ratio in excess(values, limits).items()
    ]
    return (
        "no architecture of the space meets the limits. The nearest found is\n"
        f"  {arch.describe()}\nwith {'; '.join(broken)}.\n"
        "Raise these limits in `limits`, or add smaller widths, depths or expansions to `space`."
    )


def first_new(
    make: Callable[[], Architecture], seen: set[str], is_allowed: Callable[[Architecture], bool], tries: int
) -> Architecture | None:
    """The first of up to `tries` architectures that is not in `seen` and is allowed; None if there is none."""
    for _ in range(tries):
        arch = make()
        if arch.id not in seen and is_allowed(arch):
            return arch
    return None
