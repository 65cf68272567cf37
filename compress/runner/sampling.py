"""The protocol: interleaved random rounds, a few samples a visit, of which the fastest will count.

Calls that are short are timed in batches. Beside each sample's time on the wall stands its time on the processor,
because on a busy machine only that tells how long a single-threaded call takes. What disturbs is counted, not removed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

SHORT_S = 50e-6  # calls shorter than this are batched,
SAMPLE_S = 200e-6  # so that one sample lasts about this long
STABLE = 0.02  # warm once two successive medians agree within this
WARM_CALLS, WARM_GROUP, WARM_CAP_S = 10, 5, 0.5

Call = Callable[[], object]
Clock = Callable[[], float]  # seconds
Times = tuple[list[list[float]], list[list[float]], int]


def sample(
    calls: Sequence[Call],
    rounds: int,
    visits: int,
    seed: int,
    wall: Clock = time.perf_counter,
    busy: Clock = time.thread_time,
) -> list[Times]:
    """Visit every call once a round, in a new random order each round, `visits` samples a visit.

    Returns: one (seconds, busy seconds, batch) a call; seconds are (rounds, visits) lists of what one call took on the
    wall and on the processor. Cost: rounds * visits * latency each, and the warm-up.
    """
    generator = np.random.default_rng(seed)
    usual = [warm_up(call, wall) for call in calls]
    batches = [max(1, round(SAMPLE_S / t)) if t < SHORT_S else 1 for t in usual]
    seconds = np.zeros((2, len(calls), rounds, visits))
    for turn in range(rounds):
        for i in generator.permutation(len(calls)):
            call, batch = calls[i], batches[i]
            for k in range(visits):
                before, began = busy(), wall()
                for _ in range(batch):
                    call()
                ended, after = wall(), busy()
                seconds[:, i, turn, k] = (ended - began) / batch, (after - before) / batch
    return [(seconds[0, i].tolist(), seconds[1, i].tolist(), batches[i]) for i in range(len(calls))]


def warm_up(call: Call, wall: Clock = time.perf_counter) -> float:
    """Call until two successive medians of 5 agree within 2 % (at most 0.5 s); returns the seconds of one call."""
    began, before, done = wall(), 0.0, 0
    while True:
        times = []
        while len(times) < WARM_GROUP and not (times and wall() - began > WARM_CAP_S):
            start = wall()
            call()
            times.append(wall() - start)
        median = float(np.median(times))
        done += len(times)
        if wall() - began > WARM_CAP_S or (done >= WARM_CALLS and abs(median - before) <= STABLE * median):
            return max(median, 1e-9)
        before = median
