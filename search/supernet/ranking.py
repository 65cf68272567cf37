"""How well scores rank networks: Kendall's tau with its interval, overall, among the best, and at like cost.

Source of tau-b, which counts ties: Kendall 1945, doi:10.1093/biomet/33.3.239. Intervals are 95 % percentile bootstrap
over networks; the best and the bins are those of all networks and stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

RESAMPLES, TOP, BINS = 1000, 0.2, 5


@dataclass(frozen=True)
class Tau:
    """Kendall's tau-b and its 95 % interval; NaN where too few networks differ."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return "-" if np.isnan(self.value) else f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Ranking:
    """How one score ranks. top: among the best fifth by truth. alike: the mean over fifths of like cost."""

    overall: Tau
    top: Tau
    alike: Tau


def ranking(scores: ArrayLike, truth: ArrayLike, costs: ArrayLike, seed: int = 0) -> Ranking:
    """How `scores` rank networks whose quality is `truth`, larger being better in both; networks without a finite
    score are left out. Cost: O(RESAMPLES n^2), half a second for 200 networks."""
    kept = np.isfinite(np.asarray(scores, float))
    given, real, spent = (np.asarray(part, float)[kept] for part in (scores, truth, costs))
    rng, everything = np.random.default_rng(seed), np.arange(len(given))
    best = np.argsort(-real, kind="stable")[: max(1, round(TOP * len(real)))]
    bins = np.array_split(np.argsort(spent, kind="stable"), BINS)

    def interval(groups: list[np.ndarray]) -> Tau:
        """Of the mean over groups; those in which tau means nothing are left out."""
        found = np.array([_taus(given[rows], real[rows], rng) for rows in groups if len(rows)])
        found = found[np.isfinite(found[:, 0])] if len(found) else found
        if not len(found):
            return Tau(np.nan, np.nan, np.nan)
        drawn = np.nanmean(np.where(np.isfinite(found), found, found[:, :1]), axis=0)
        low, high = np.percentile(drawn[1:], [2.5, 97.5])
        return Tau(float(drawn[0]), float(low), float(high))

    return Ranking(interval([everything]), interval([best]), interval(bins))


def _taus(scores: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(1 + RESAMPLES,) tau-b as it is, then of every resample; NaN where one side has no two different values.

    A resample only changes how often a pair counts, so all of them are two products of matrices.
    """
    one, other = (np.sign(part[:, None] - part[None]) for part in (scores, truth))
    drawn = rng.multinomial(len(scores), np.full(len(scores), 1 / len(scores)), RESAMPLES)
    counts = np.concatenate([np.ones((1, len(scores))), drawn])
    agree, first, second = (((counts @ pairs) * counts).sum(1) for pairs in (one * other, abs(one), abs(other)))
    scale = np.sqrt(first * second)
    return np.divide(agree, scale, out=np.full(len(counts), np.nan), where=scale > 0)
