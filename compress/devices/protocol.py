"""Latency on a machine that is not quiet: what the samples of one or several sessions say, and how sure it is.

Sampling is in `compress/runner/sampling.py`: interleaved random rounds, the fastest of a few calls, a reference beside.
What it cannot see is that a fresh session of the same file differs by about 1 %. So a claim takes several sessions, and
its interval is over them: each session gives one number, and Student's t says how far their mean may be off.
(Resampling three sessions instead, a cluster bootstrap, holds the truth 3 times in 4; see docs/decisions.) A single
session, enough to search with, has the known spread of sessions added to its interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

VERSION = "2"  # part of every fingerprint: raise it when numbers of the old and new protocol no longer compare
SESSION_SD = 0.01  # of the latency of fresh sessions of one file, relative
BUSY, DISTURBED = 0.9, 0.2  # a round is disturbed below this share of the processor; so much of them, and it counts
RESAMPLES = 1000


@dataclass(frozen=True)
class Sampling:
    """rounds: visits to each candidate. calls: samples a visit, of which the smallest counts. seed: of the order."""

    rounds: int = 30
    calls: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rounds < 2:
            raise ValueError(
                f"`rounds` must be at least 2, got {self.rounds}. 30 is enough for a search, 60 for a claim."
            )
        if self.calls < 1:
            raise ValueError(f"`calls` must be at least 1, got {self.calls}.")


@dataclass(frozen=True)
class Samples:
    """One session's seconds a call, (rounds, calls), row r taken in round r. batch: calls in one sample."""

    seconds: np.ndarray
    batch: int

    @property
    def minima(self) -> np.ndarray:
        """(rounds,) seconds: the fastest sample of each visit."""
        return self.seconds.min(1)


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


def quiet_latency(samples: Samples, seed: int = 0) -> Estimate:
    """Seconds: the 10th percentile of the rounds' minima, what the machine does when nothing disturbs it."""
    return one_session(np.log(samples.minima), lambda x: np.percentile(x, 10, axis=-1), seed)


def ratio(candidate: Samples, reference: Samples, seed: int = 0) -> Estimate:
    """Candidate / reference: the median over rounds, so that what slows a whole round cancels."""
    return one_session(np.log(candidate.minima / reference.minima), lambda x: np.median(x, axis=-1), seed)


def one_session(logs: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray], seed: int) -> Estimate:
    """exp of the statistic of the rounds' logarithms; its interval has the spread of sessions added in squares."""
    found = bootstrap(logs, statistic, seed)
    beyond = 1.96 * SESSION_SD
    low, high = math.hypot(found.value - found.low, beyond), math.hypot(found.high - found.value, beyond)
    return Estimate(*(math.exp(found.value + offset) for offset in (0.0, -low, high)))


def over_sessions(values: Sequence[float]) -> Estimate:
    """The geometric mean of at least two sessions' values, and its interval by Student's t on their logarithms."""
    from scipy.stats import t

    logs = np.log(values)
    mean, error = float(logs.mean()), float(logs.std(ddof=1)) / math.sqrt(len(logs))
    half = float(t.ppf(0.975, len(logs) - 1)) * error
    return Estimate(math.exp(mean), math.exp(mean - half), math.exp(mean + half))


def bootstrap(values: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray], seed: int) -> Estimate:
    """The statistic of `values` (n,) and its 95 % percentile interval over resampled rounds.

    statistic: (..., n) -> (...). Source: Efron 1979; the interval is widened where it does not hold the value itself.
    """
    value = float(statistic(values))
    drawn = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.percentile(statistic(values[drawn]), [2.5, 97.5])
    return Estimate(value, min(value, float(low)), max(value, float(high)))


def disturbed_share(wall: np.ndarray, busy: np.ndarray) -> float:
    """Share of rounds, (files, rounds, calls) seconds both, in which the processor was away for more than a tenth."""
    return float((busy.sum((0, 2)) < BUSY * wall.sum((0, 2))).mean())


def drift(reference: Samples) -> float:
    """By how much the reference's quiet latency moved from the first third of the rounds to the last, relative."""
    third = max(1, len(reference.minima) // 3)
    first, last = (np.percentile(part, 10) for part in (reference.minima[:third], reference.minima[-third:]))
    return float(last / first - 1)
