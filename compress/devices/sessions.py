"""Several fresh sessions of the same files, as one measurement each: what a claim rests on."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from compress.devices import Device
from compress.devices.answers import spread
from compress.devices.protocol import DISTURBED, over_sessions
from compress.measurement import Measurement

DRIFT = 0.03  # the reference moved by more within a session: its milliseconds are not of one machine
SUMMED, AVERAGED = ("switches", "stolen_s"), ("busy", "disturbed", "load", "reference_ms")


def measure_sessions(
    device: Device,
    files: Sequence[Path],
    reference: Path,
    name: str,
    sessions: int,
    repeats: int = 0,
    after_each: Callable[[int], None] = lambda done: None,
) -> list[Measurement]:
    """Measure in `sessions` fresh sessions and pool them, in the order of `files`.

    repeats: so many sessions in all are thrown away and done again if the machine changed its pace within them, or if
    the processor was taken away from several threads. after_each(done): called with the sessions that count so far.
    Raises: DeviceError. Cost: `sessions` times the device's.
    """
    kept: list[list[Measurement]] = []
    while len(kept) < sessions:
        visit = device.measure(files, reference, name)
        if visit and not visit[0].samples:
            return visit  # a formula says the same every time
        if repeats and visit and not is_steady(visit[0]):
            repeats -= 1
            continue
        kept.append(visit)
        after_each(len(kept))
    return pooled(kept)


def is_steady(measurement: Measurement) -> bool:
    """The reference kept its pace through the rounds, and a clock was there that shows no other processes."""
    details = measurement.details
    shared = details["clock"] == "wall" and float(details["disturbed"]) > DISTURBED
    return abs(float(details["drift"])) <= DRIFT and not shared


def pooled(visits: Sequence[Sequence[Measurement]]) -> list[Measurement]:
    """One measurement a file from its sessions, each visit holding the files in the same order."""
    if len(visits) == 1:
        return list(visits[0])
    together = uuid.uuid4().hex
    return [_pooled([visit[i] for visit in visits], together) for i in range(len(visits[0]))]


def _pooled(sessions: Sequence[Measurement], together: str) -> Measurement:
    """samples: session after session. Every session has the same rounds and calls."""
    first = sessions[0]
    value = over_sessions([m.value for m in sessions])
    against = over_sessions([float(m.details["ratio"]) for m in sessions])
    samples = np.concatenate([np.frombuffer(m.samples, "<f4") for m in sessions])
    details = dict(first.details) | spread(samples, int(first.details["calls"]))
    details |= {"rounds_id": together, "sessions": len(sessions)}
    details |= {"ratio": against.value, "ratio_low": against.low, "ratio_high": against.high}
    details |= {name: sum(float(m.details[name]) for m in sessions) for name in SUMMED}
    details |= {name: float(np.mean([float(m.details[name]) for m in sessions])) for name in AVERAGED}
    details["drift"] = max((float(m.details["drift"]) for m in sessions), key=abs)
    details["clock"] = " and ".join(sorted({str(m.details["clock"]) for m in sessions}))
    engines = sorted({str(m.details.get("engine", "")) for m in sessions})
    details = {k: v for k, v in details.items() if not k.startswith("times_")} | {"engine": " or ".join(engines)}
    for key in {key for m in sessions for key in m.details if key.startswith("times_")}:
        if key.removeprefix("times_") not in engines:  # one engine for all sessions: how far the others are behind
            details[key] = float(np.mean([float(m.details[key]) for m in sessions if key in m.details]))
    repeats = sum(m.repeats for m in sessions)
    return replace(
        first, value=value.value, low=value.low, high=value.high, repeats=repeats, samples=samples.tobytes(),
        details=details,
    )  # fmt: skip
