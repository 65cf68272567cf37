"""How targets are warped, and what a candidate promises: expected improvement for one or more objectives.

Sources: expected improvement, Jones et al. (1998), and of the hypervolume, Emmerich et al. (2006),
doi:10.1109/TEVC.2005.859463; random hypervolume scalarisation, for three and more objectives, Zhang & Golovin,
Random Hypervolume Scalarizations for Provable Multi-Objective Black Box Optimization (2020), arXiv:2006.04655.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

DRAWS = 16  # equally likely values that stand for a candidate's posterior
TOGETHER = 32_768  # pairs of a point and a row of a front that are looked at in one pass
QUANTILES = ndtri((np.arange(DRAWS) + 0.5) / DRAWS)  # of a standard normal


def _standard(values: np.ndarray) -> np.ndarray:
    spread = values.std()
    return (values - values.mean()) / (spread if spread > 0 else 1.0)


def warp(values: np.ndarray) -> np.ndarray:
    """Monotone warp of minimised `values` (n,) to zero mean and unit variance; small stays good.

    The mean of normal scores (no outlier can dominate) and log regret (resolution where the best are): accuracy
    tables have a heavy tail of broken networks, and a fit in raw units spends itself on that tail.
    """
    scores = _standard(ndtri((rankdata(values) - 0.5) / len(values)))
    scale = max(float(np.median(values) - values.min()), 1e-9)
    regret = _standard(np.log(0.3 * scale + values - values.min()))
    return _standard(scores + regret)


def expected_improvement(mean: np.ndarray, deviation: np.ndarray, best: float | np.ndarray) -> np.ndarray:
    """Expected improvement below `best` of a minimised Gaussian target."""
    z = (best - mean) / deviation
    return deviation * (z * ndtr(z) + np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi))


def front(values: np.ndarray) -> np.ndarray:
    """Mask (n,) of the rows of minimised `values` (n, k) that no other row dominates."""
    no_worse = (values[:, None] <= values[None]).all(2)
    better = (values[:, None] < values[None]).any(2)
    return ~np.any(no_worse & better, axis=0)


def area_gained(points: np.ndarray, best: np.ndarray) -> np.ndarray:
    """By how much each of `points` (..., 2) widens what the front `best` (f, 2) dominates of the unit square.

    Both minimised, 0 at the ideal and 1 at the reference. Exact; points better than the ideal gain more than the
    square holds. Cost: a pass over every pair of a point and a row of the front, in parts that fit in a cache.
    """
    steps = best[np.argsort(best[:, 0], kind="stable")]
    left = np.concatenate([[-np.inf], np.minimum(steps[:, 0], 1.0)])
    right = np.concatenate([left[1:], [1.0]])
    height = np.concatenate([[1.0], np.minimum(steps[:, 1], 1.0)])
    flat, each = points.reshape(-1, 2), max(1, TOGETHER // len(left))
    gained = np.empty(len(flat))
    for at in range(0, len(flat), each):
        first, second = flat[at : at + each, :, None].swapaxes(0, 1)
        width = np.maximum(right - np.maximum(first, left), 0)
        gained[at : at + each] = np.einsum("ij,ij->i", width, np.maximum(height - second, 0))
    return gained.reshape(points.shape[:-1])


def direction(size: int, rng: np.random.Generator) -> np.ndarray:
    """A random unit vector of the positive orthant, uniform in angle."""
    drawn = np.abs(rng.standard_normal(size)) + 1e-3
    return drawn / np.linalg.norm(drawn)


def scalarise(scaled: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Hypervolume scalarisation (maximised) of `scaled` (..., k), 0 at the ideal and 1 at the reference."""
    return np.maximum(((1 - scaled) / weights).min(-1), 0.0) ** len(weights)
