"""What a recipe promises for the whole front: how far it would widen what is dominated, for a second of its time.

Source: expected improvement of the hypervolume, Emmerich et al. (2006), doi:10.1109/TEVC.2005.859463. Differs: exact
over the accuracy alone, the costs stand at four equally likely pairs of values, since they are known much better; and
divided by the time that making the recipe is expected to take, of which steps that are there already take nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from search.objectives import front
from search.samplers.surrogate.acquisition import expected_improvement
from search.tuning.problem import Problem
from search.tuning.seen import Numbers, Seen
from search.tuning.space import Candidate

WORTHLESS = 10  # budgets of accuracy: what loses more than so many adds nothing to the front
QUARTER = 0.674  # deviations from the mean to the middle of either half of a normal distribution
PART = 512  # candidates whose growth is asked at once


def point(numbers: Numbers) -> tuple[float, float, float]:
    """Points of accuracy lost, log latency, log size: all to be made small."""
    return numbers.drop, float(np.log(numbers.latency_ms)), float(np.log(numbers.size_bytes))


def corner(seen: Sequence[Seen], max_drop: float) -> np.ndarray:
    """(3,) where the front's volume ends: the worst that was seen, of the accuracy at most WORTHLESS budgets lost."""
    found = np.array([point(one.numbers) for one in seen if one.numbers])
    worst = found.max(0) + 0.05 * np.maximum(found.max(0) - found.min(0), 1e-9)
    worst[0] = min(worst[0], found[:, 0].min() + WORTHLESS * max(max_drop, 0.5))
    return worst


def growth(mean: np.ndarray, deviation: np.ndarray, seen: Sequence[Seen], max_drop: float) -> np.ndarray:
    """(m,) by how much candidates of these (m, 3) points, mean and deviation, are expected to widen the front of what
    was tried in whole. Cost: m times the square of the front's length."""
    end = corner(seen, max_drop)
    tried = [point(one.numbers) for one in seen if one.numbers and not one.is_look and not one.numbers.broken]
    best = np.array([tried[i] for i in front(tried)]).reshape(-1, 3)
    best = best[(best < end).all(1)]
    total = np.zeros(len(mean))
    for at in range(0, len(mean), PART):
        part = slice(at, at + PART)
        for slower in (-QUARTER, QUARTER):
            for larger in (-QUARTER, QUARTER):
                costs = mean[part, 1:] + deviation[part, 1:] * (slower, larger)
                total[part] += _growth(mean[part, 0], deviation[part, 0], costs, best, end) / 4
    return total


def _growth(
    mean: np.ndarray, deviation: np.ndarray, costs: np.ndarray, best: np.ndarray, end: np.ndarray
) -> np.ndarray:
    """(m,) at costs (m, 2). Between two neighbouring latencies and sizes of the front the accuracy to beat is one."""
    slow, large = np.unique(best[:, 1]), np.unique(best[:, 2])
    reached = np.full((len(slow) + 1, len(large) + 1), end[0])
    for drop, latency, size in best:
        cells = reached[np.searchsorted(slow, latency) + 1 :, np.searchsorted(large, size) + 1 :]
        np.minimum(cells, drop, out=cells)
    levels, level = np.unique(reached, return_inverse=True)
    gains = expected_improvement(mean[:, None], deviation[:, None], levels[None])
    wide, high = _lengths(costs[:, 0], slow, end[1]), _lengths(costs[:, 1], large, end[2])
    return np.einsum("mi,mj,mij->m", wide, high, gains[:, level.reshape(reached.shape)])


def _lengths(start: np.ndarray, marks: np.ndarray, end: float) -> np.ndarray:
    """(m, n + 1) of what lies between neighbouring marks the part from `start` (m,) to `end`."""
    left, right = np.append(-np.inf, marks), np.append(marks, end)
    return np.maximum(right - np.maximum(left, start[:, None]), 0.0)


def seconds_of(candidates: Sequence[Candidate], problem: Problem) -> np.ndarray:
    """(m,) what is expected to be spent on the steps of each that are still to be made.

    A step takes as long as it did in the mean: with these settings from this start, or else with others, or from
    others, whichever is known first.
    """
    spent: dict[object, list[float]] = {}
    for one in problem.seen:
        if one.candidate.steps and not one.is_look:
            for key in _keys(one.candidate):
                spent.setdefault(key, []).append(one.seconds)
    usual = {key: float(np.mean(values)) for key, values in spent.items()}
    found = np.zeros(len(candidates))
    for index, candidate in enumerate(candidates):
        while candidate.steps and candidate not in problem.whole:
            found[index] += next((usual[key] for key in _keys(candidate) if key in usual), 1.0)
            candidate = candidate.base
    return np.maximum(found, 1e-3)


def _keys(candidate: Candidate) -> tuple[object, ...]:
    """What its last step may be known by, the most exact first."""
    name, step = candidate.steps[-1]
    return (candidate.start, step), (candidate.start, name), step, name, None
