"""Whether one file is faster than another, said only when it can be."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from compress.devices.protocol import Estimate, one_session, over_sessions
from compress.measurement import Measurement

LEAST = 0.02  # differences below this mean nothing: fresh sessions of one file differ by about 1 %


@dataclass(frozen=True)
class Comparison:
    """ratio: latency of the first over that of the second, with its 95 % interval. paired: in the same rounds."""

    ratio: float
    low: float
    high: float
    verdict: Literal["faster", "slower", "no difference shown"]
    paired: bool


def compare(first: Measurement, second: Measurement) -> Comparison:
    """Is the first faster than the second? Only if the ratio's interval excludes 1 and they differ by 2 % or more.

    Measurements of one call to a device share their rounds and are paired round by round. Others are compared through
    the reference beside each, where it was the same file, else by their values.
    Raises: ValueError: if the fingerprints or the metrics differ: those numbers do not compare.
    """
    if (first.metric, first.fingerprint) != (second.metric, second.fingerprint):
        raise ValueError("two latencies compare only on the same device in the same state. Measure both again here.")
    paired = _same(first, second, "rounds_id")
    found = _paired(first, second) if paired else _apart(first, second)
    big = abs(found.value - 1) >= LEAST
    verdict: Literal["faster", "slower", "no difference shown"] = "no difference shown"
    if big and found.high < 1:
        verdict = "faster"
    elif big and found.low > 1:
        verdict = "slower"
    return Comparison(found.value, found.low, found.high, verdict, paired)


def round_minima(measurement: Measurement) -> np.ndarray:
    """(sessions, rounds) in the measurement's unit, from its raw samples."""
    rounds, sessions = int(measurement.details["rounds"]), int(measurement.details.get("sessions", 1))
    return np.frombuffer(measurement.samples, "<f4").reshape(sessions, rounds, -1).min(2).astype(np.float64)


def _same(first: Measurement, second: Measurement, key: str) -> bool:
    return first.details.get(key, "") != "" and first.details.get(key) == second.details.get(key)


def _paired(first: Measurement, second: Measurement) -> Estimate:
    logs = np.log(round_minima(first) / round_minima(second))
    if len(logs) > 1:
        return over_sessions(np.exp(np.median(logs, 1)).tolist())
    return one_session(logs[0], lambda x: np.median(x, axis=-1), seed=0)


def _apart(first: Measurement, second: Measurement) -> Estimate:
    """The quotient of two independent estimates; their errors in log space add in squares."""
    if _same(first, second, "reference"):
        numbers = [[float(m.details[k]) for k in ("ratio", "ratio_low", "ratio_high")] for m in (first, second)]
    else:
        numbers = [[m.value, m.low, m.high] for m in (first, second)]
    (a, a_low, a_high), (b, b_low, b_high) = np.log(numbers)
    below, above = math.hypot(a - a_low, b_high - b), math.hypot(a_high - a, b - b_low)
    return Estimate(*(math.exp(a - b + offset) for offset in (0.0, -below, above)))
