"""Which of a pool's architectures promise most: one Gaussian process an unknown objective, nothing kept in between.

Sources: beside what is done, in acquisition.py and gaussian_process.py.
"""

from __future__ import annotations

import numpy as np

from search.samplers.surrogate.acquisition import (
    DRAWS,
    QUANTILES,
    area_gained,
    direction,
    expected_improvement,
    front,
    scalarise,
    warp,
)
from search.samplers.surrogate.encoding import Encoding
from search.samplers.surrogate.gaussian_process import Posterior, fit
from search.samplers.surrogate.kernels import Block, distances

LEARNED = 128  # observations that decide the kernel's parameters
SHORT, NEAR = 128, 8  # candidates among which several are chosen to be evaluated together; asked again at once
PAIRS = 800_000  # candidates times observations a proposal looks at: what bounds its time


def first_random(slots: int) -> int:
    """How many random architectures come before the first fit: 8, up to 20 in spaces of many decisions."""
    return max(8, min(slots, 20))


def by_rank(values: np.ndarray) -> np.ndarray:
    """Rows of minimised `values` (n, k), those first that are among the best by any one objective."""
    return np.argsort(values.argsort(0, kind="stable").argsort(0).min(1), kind="stable")


def rank(
    encoding: Encoding,
    observed: np.ndarray,
    values: np.ndarray,
    rng: np.random.Generator,
    known: np.ndarray | None = None,
    reference: np.ndarray | None = None,
    together: int = 1,
) -> np.ndarray:
    """Rows of `encoding` that are not `observed`, the one to evaluate next first. Ties are broken at random.

    Every row counts as feasible: leave others out of the pool. `values` (n_observed, k) are minimised. `known` (n, k):
    objectives known without evaluation, NaN where not. `reference` (k,) bounds the hypervolume of two or more
    objectives; without it the largest of a known objective, and of the others the worst of the observed front,
    widened by a tenth. In a pool that is too large for the time, a random part is ranked. together: so many of the
    first rows are to be evaluated at once, so each counts on what those before it promise.
    """
    free = np.ones(len(encoding), bool)
    free[observed] = False
    pool = rng.permutation(np.flatnonzero(free))
    if not len(pool) or len(observed) < first_random(encoding.slots):
        return pool
    pool = pool[: max(PAIRS // len(observed), 1000)]
    scores = _scores(encoding.blocks(), observed, values, pool, rng, known, reference, together)
    return pool[np.argsort(-scores, kind="stable")]


def _fitted(blocks: tuple[Block, ...], rows: np.ndarray, targets: np.ndarray) -> Posterior:
    """Parameters learned on at most LEARNED rows, half of them the best, then conditioned on all."""
    if len(rows) <= LEARNED:
        return fit(blocks, rows, targets)
    order = np.argsort(targets, kind="stable")
    half = LEARNED // 2
    spread = np.linspace(half, len(rows) - 1, LEARNED - half).astype(int)
    part = np.concatenate([order[:half], order[spread]])
    return fit(blocks, rows, targets, fit(blocks, rows[part], targets[part]).theta, iterations=0)


def _scores(
    blocks: tuple[Block, ...],
    observed: np.ndarray,
    values: np.ndarray,
    pool: np.ndarray,
    rng: np.random.Generator,
    known: np.ndarray | None,
    reference: np.ndarray | None,
    together: int,
) -> np.ndarray:
    """Expected improvement of each row of the pool; of the hypervolume where there is more than one objective."""
    shape = (len(pool), values.shape[1])
    known = np.full((len(blocks[0].design), shape[1]), np.nan) if known is None else known
    is_known = np.asarray(np.isfinite(known).all(axis=0))
    if shape[1] == 1:
        if is_known[0]:
            return -known[pool, 0]
        targets = warp(values[:, 0])
        mean, deviation = _fitted(blocks, observed, targets).predict(pool)
        promise = expected_improvement(mean, deviation, float(targets.min()))
        return promise if promise.max() > 1e-12 else 2 * deviation - mean
    between, draws = distances(blocks, pool, observed), np.empty((DRAWS, *shape))
    for k in range(shape[1]):
        if is_known[k]:
            draws[:, :, k] = known[pool, k]
        else:
            draws[:, :, k] = _draws(_fitted(blocks, observed, warp(values[:, k])), values[:, k], pool, between, rng)
    if reference is None:
        reference = _reference(values, np.where(is_known, known.max(0), np.nan))
    best = values[front(values)]
    gain = _hypervolume_gain(draws, best, reference, rng)
    return gain if together == 1 else _in_turn(draws, gain, best, reference, rng, together)


def _in_turn(
    draws: np.ndarray, gain: np.ndarray, best: np.ndarray, reference: np.ndarray, rng: np.random.Generator, count: int
) -> np.ndarray:
    """(m,) scores that put `count` candidates first: each adds most to a front on which those before it stand already,
    where their draws (DRAWS, m, k) have their mean.

    Lazily, for two objectives: a front that grows leaves less to gain, so an old gain is an upper bound, and only the
    NEAR candidates of the largest bounds are asked again until one of them is first.
    Source: Minoux, Accelerated Greedy Algorithms for Maximizing Submodular Set Functions (1978).
    """
    listed = np.argsort(-gain, kind="stable")[:SHORT]
    near = NEAR if best.shape[1] == 2 else SHORT
    left, scores, is_old = gain[listed], gain.copy(), np.zeros(len(listed), bool)
    for place in range(min(count, len(listed))):
        while is_old[chosen := int(np.argmax(left))]:
            asked = np.argsort(-left, kind="stable")[: min(near, len(listed) - place)]
            left[asked] = _hypervolume_gain(draws[:, listed[asked]], best, reference, rng)
            is_old[asked] = False
        scores[listed[chosen]] = gain.max() + count - place
        best = _joined(best, draws[:, listed[chosen]].mean(0))
        left[chosen], is_old = -np.inf, np.isfinite(left)
    return scores


def _joined(best: np.ndarray, point: np.ndarray) -> np.ndarray:
    """The front (n, k) after `point` (k,) joined it."""
    if (best <= point).all(1).any():
        return best
    return np.concatenate([best[(best < point).any(1)], point[None]])


def _reference(values: np.ndarray, largest: np.ndarray) -> np.ndarray:
    """(k,) where the hypervolume ends: `largest` where it is known, else the worst of the front and a tenth more."""
    best = values[front(values)]
    ideal, worst = best.min(0), best.max(0)
    return np.where(np.isfinite(largest), largest, worst + 0.1 * (worst - ideal))


def _hypervolume_gain(
    draws: np.ndarray, best: np.ndarray, reference: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """(m,) expected growth of the hypervolume of the front `best` (n, k) by each candidate of `draws` (DRAWS, m, k).

    Exact in two objectives, by a random scalarisation in more. A little of the plain value breaks ties.
    """
    ideal = best.min(0)
    span = np.maximum(reference - ideal, 1e-12)
    scaled, best = (draws - ideal) / span, (best - ideal) / span
    if best.shape[1] == 2:
        return area_gained(scaled, best).mean(0) - 1e-9 * scaled.sum(-1).mean(0)
    weights = direction(best.shape[1], rng)
    reached = scalarise(best, weights).max()
    return np.maximum(scalarise(scaled, weights) - reached, 0).mean(0) - 1e-9 * scaled.sum(-1).mean(0)


def _draws(
    posterior: Posterior, values: np.ndarray, pool: np.ndarray, between: list[np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """DRAWS equally likely posterior values (DRAWS, m), each row by itself, in the objective's own unit.

    In random order, so that two objectives are not drawn as if they were one.
    """
    targets = warp(values)
    mean, deviation = posterior.predict(pool, between)
    drawn = mean + deviation * rng.permutation(QUANTILES)[:, None]
    order = np.argsort(targets, kind="stable")
    knots, heights = targets[order], values[order]
    slope = (np.median(values) - heights[0]) / max(float(np.median(targets) - knots[0]), 1e-9)
    return np.interp(drawn, knots, heights) + slope * np.minimum(drawn - knots[0], 0)
