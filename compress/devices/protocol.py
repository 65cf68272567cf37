"""Latency on a machine that is not quiet: interleaved random rounds, the fastest of a few calls, a reference beside.

On a machine with a load of 10 on 2 cores, the same model against itself: mean of 20 calls 59 % noise, mean of 300 39 %,
this protocol with 60 rounds 0.3 %. What it does not see: a fresh session of the same file differs by about 1 %.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

VERSION = "1"  # part of every fingerprint: raise it when numbers of the old and new protocol no longer compare
SHORT_S = 50e-6  # calls shorter than this are batched,
SAMPLE_S = 200e-6  # so that one sample lasts about this long
STABLE = 0.02  # warm once two successive medians agree within this
WARM_CALLS, WARM_GROUP, WARM_CAP_S = 10, 5, 0.5
RESAMPLES = 1000

Call = Callable[[], object]
Clock = Callable[[], float]  # seconds


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
    """seconds: (rounds, calls), each sample's seconds a call, row r taken in round r. batch: calls in one sample."""

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


def sample(calls: Sequence[Call], sampling: Sampling, clock: Clock = time.perf_counter) -> list[Samples]:
    """Visit every call once a round, in a new random order each round; put the reference among them.

    Returns: one Samples a call. Cost: rounds * calls * latency each, and the warm-up.
    """
    generator = np.random.default_rng(sampling.seed)
    batches = [max(1, round(SAMPLE_S / t)) if t < SHORT_S else 1 for t in [warm_up(call, clock) for call in calls]]
    seconds = np.zeros((len(calls), sampling.rounds, sampling.calls))
    for turn in range(sampling.rounds):
        for i in generator.permutation(len(calls)):
            for k in range(sampling.calls):
                seconds[i, turn, k] = _time(calls[i], batches[i], clock)
    return [Samples(s, b) for s, b in zip(seconds, batches, strict=True)]


def warm_up(call: Call, clock: Clock) -> float:
    """Call until two successive medians of 5 agree within 2 % (at most 0.5 s); returns the seconds of one call."""
    began, before, done = clock(), 0.0, 0
    while True:
        median = float(np.median([_time(call, 1, clock) for _ in range(WARM_GROUP)]))
        done += WARM_GROUP
        stable = abs(median - before) <= STABLE * median
        if done >= WARM_CALLS and (stable or clock() - began > WARM_CAP_S):
            return max(median, 1e-9)
        before = median


def quiet_latency(samples: Samples, seed: int = 0) -> Estimate:
    """Seconds: the 10th percentile of the rounds' minima, what the machine does when nothing disturbs it."""
    return bootstrap(samples.minima, lambda x: np.percentile(x, 10, axis=-1), seed)


def ratio(candidate: Samples, reference: Samples, seed: int = 0) -> Estimate:
    """Candidate / reference: the median over rounds, so that what slows a whole round cancels."""
    logs = np.log(candidate.minima / reference.minima)
    found = bootstrap(logs, lambda x: np.median(x, axis=-1), seed)
    return Estimate(*(float(np.exp(v)) for v in (found.value, found.low, found.high)))


def bootstrap(values: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray], seed: int) -> Estimate:
    """The statistic of `values` (n,) and its 95 % percentile interval over resampled rounds.

    statistic: (..., n) -> (...). Source: Efron 1979; the interval is widened where it does not hold the value itself.
    """
    value = float(statistic(values))
    drawn = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.percentile(statistic(values[drawn]), [2.5, 97.5])
    return Estimate(value, min(value, float(low)), max(value, float(high)))


def _time(call: Call, batch: int, clock: Clock) -> float:
    start = clock()
    for _ in range(batch):
        call()
    return (clock() - start) / batch
