"""Where candidates come from: all of a small space; of others random feasible ones, and neighbours of the best."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from search.limits import exact_values
from search.samplers.surrogate.costs import NAMES, Costs
from search.samplers.surrogate.grid import every_row
from spaces.counts import Counts

SIZE = 1000  # candidates of a proposal
LISTED = 20_000  # combinations of options up to which every architecture is a candidate
WALKERS, ROUNDS, RATE = 300, 60, 0.15  # of the walk downhill


def candidates(
    costs: Costs,
    limits: Mapping[str, float],
    weight_bytes: int,
    best: np.ndarray,
    taken: np.ndarray,
    rng: np.random.Generator,
    size: int = SIZE,
) -> tuple[np.ndarray, np.ndarray]:
    """Feasible rows (n, slots) without repeats and without those of `taken`, and their costs (n, 3).

    All there are in a space of at most LISTED combinations, once `best` is known. Otherwise half are random and half
    one to three changes away from `best` (best first, the first ones more often); all are random if `best` is empty. At
    most `size` then, fewer where the limits leave little, none where nothing was found.
    """
    if len(best) and math.prod(costs.grid.sizes.tolist()) <= LISTED:
        found = [every_row(costs.grid)]
    else:
        found = [_random(costs, limits, weight_bytes, size if not len(best) else size // 2, rng)]
        if len(best):
            parents = best[(len(best) * rng.random(size // 2) ** 2).astype(int)]
            found.append(costs.grid.neighbours(parents, rng))
    rows = _distinct(np.concatenate(found), taken)
    counts = costs.of(rows)
    feasible = excess(counts, limits, weight_bytes) == 0
    return rows[feasible], counts[feasible]


def excess(counts: np.ndarray, limits: Mapping[str, float], weight_bytes: int) -> np.ndarray:
    """(n,) by how much broken limits are exceeded, relative to each; 0 where feasible. As `search.limits`, for rows."""
    values = exact_values(Counts(*(counts[:, k] for k in range(len(NAMES)))), weight_bytes)  # type: ignore[arg-type]
    total = np.zeros(len(counts))
    for name, limit in limits.items():
        if name in values:
            total += np.maximum(np.asarray(values[name]) / limit - 1, 0)
    return total


def _random(
    costs: Costs, limits: Mapping[str, float], weight_bytes: int, size: int, rng: np.random.Generator
) -> np.ndarray:
    """Up to `size` feasible rows. Where few of the drawn are feasible, some of the others walk downhill in excess."""
    rows = costs.grid.sample(size, rng)
    if not limits:
        return rows
    over = excess(costs.of(rows), limits, weight_bytes)
    feasible = rows[over == 0]
    if len(feasible) >= min(WALKERS, size // 2):
        return feasible
    start = np.argsort(over, kind="stable")[len(feasible) :][:WALKERS]
    return np.concatenate([feasible, _downhill(costs, limits, weight_bytes, rows[start], over[start], rng)])


def _downhill(
    costs: Costs,
    limits: Mapping[str, float],
    weight_bytes: int,
    rows: np.ndarray,
    over: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """The rows that became feasible by changes that never increase the excess: `feasible_sample` for many at once."""
    rows, over = rows.copy(), over.copy()
    for _ in range(ROUNDS):
        left = np.flatnonzero(over > 0)
        if 2 * len(left) <= len(rows):
            break
        changed = costs.grid.redraw(rows[left], RATE, rng)
        value = excess(costs.of(changed), limits, weight_bytes)
        better = value <= over[left]
        rows[left[better]], over[left[better]] = changed[better], value[better]
    return rows[over == 0]


def _distinct(rows: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """The first of equal rows, in order, without those of `taken`."""
    known = {row.tobytes() for row in taken.astype(rows.dtype)}
    kept: list[int] = []
    for at, row in enumerate(rows):
        if (key := row.tobytes()) not in known:
            known.add(key)
            kept.append(at)
    return rows[kept]
