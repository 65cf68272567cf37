"""What a runner answered, as measurements: the same for this machine and for one at the other end of a wire."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from compress.artifact import sha256_of
from compress.devices import DeviceError
from compress.devices.protocol import DISTURBED, VERSION, Samples, disturbed_share, drift, quiet_latency, ratio
from compress.measurement import Measurement

Details = dict[str, float | int | str]


def measurements_of(
    answer: Mapping[str, Any], files: Sequence[Path], reference: Path, threads: int, name: str, fingerprint: str
) -> list[Measurement]:
    """One latency a file, from the answer to a job that timed [reference, *files].

    With one thread, and the processor taken away in more than a fifth of the rounds, the processor's clock counts
    instead of the wall's, for all of them. Raises: DeviceError: if the answer is an error or no answer to this job.
    """
    if "error" in answer:
        raise DeviceError(str(answer["error"]))
    try:
        wall, busy = (np.array([file[key] for file in answer["files"]], float) for key in ("seconds", "busy_seconds"))
        if wall.ndim != 3 or len(wall) != len(files) + 1 or not (wall > 0).all() or wall.shape != busy.shape:
            raise ValueError(f"{wall.shape} for {len(files) + 1} files")
        disturbed = disturbed_share(wall, busy)
        on_processor = threads == 1 and disturbed > DISTURBED and bool((busy > 0).all())
        seconds = busy if on_processor else wall
        found = [Samples(s, int(file["batch"])) for s, file in zip(seconds, answer["files"], strict=True)]
        common: Details = {
            "protocol": VERSION,
            "rounds_id": uuid.uuid4().hex,
            "reference": sha256_of(reference),
            "reference_ms": quiet_latency(found[0]).value * 1e3,  # how quiet the machine was: compare before values
            "sessions": 1,
            "clock": "processor" if on_processor else "wall",
            "busy": float(busy.sum() / wall.sum()),
            "disturbed": disturbed,
            "drift": drift(found[0]),
            "switches": int(answer["switches"]),
            "stolen_s": float(answer["stolen_s"]),
            "load": float(answer["load"]),
        }
        notes = ["; ".join(map(str, file["notes"])) for file in answer["files"][1:]]
        own: list[Details] = [{"engine": str(file["engine"])} for file in answer["files"][1:]]
    except (KeyError, TypeError, ValueError) as error:
        raise DeviceError(f"the runner's answer cannot be read ({error}). Is it of this version of Lathe?") from error
    return [
        _measurement(path, samples, found[0], common | more | ({"notes": note} if note else {}), name, fingerprint)
        for path, samples, note, more in zip(files, found[1:], notes, own, strict=True)
    ]


def _measurement(
    path: Path, found: Samples, reference: Samples, common: Details, name: str, fingerprint: str
) -> Measurement:
    latency, against = quiet_latency(found), ratio(found, reference)
    samples = (found.seconds * 1e3).astype("<f4")
    details = common | {
        **spread(samples, found.seconds.shape[1]),
        "ratio": against.value,
        "ratio_low": against.low,
        "ratio_high": against.high,
        "rounds": len(found.seconds),
        "calls": found.seconds.shape[1],
        "batch": found.batch,
    }
    return Measurement(
        metric="latency_ms",
        value=latency.value * 1e3,
        unit="ms",
        low=latency.low * 1e3,
        high=latency.high * 1e3,
        kind="measured",
        repeats=found.seconds.size * found.batch,
        device=name,
        fingerprint=fingerprint,
        artifact=sha256_of(path),
        samples=samples.tobytes(),
        details=details,
    )


def spread(samples: np.ndarray, calls: int) -> Details:
    """The median of the rounds' minima, and percentiles of all samples: what a user of a busy machine gets."""
    p50, p90, p99 = (float(p) for p in np.percentile(samples, [50, 90, 99]))
    return {"median": float(np.median(samples.reshape(-1, calls).min(1))), "p50": p50, "p90": p90, "p99": p99}


def resources_of(answer: Mapping[str, Any], file: Path, engine: str, name: str, fingerprint: str) -> list[Measurement]:
    """Peak memory and energy from the answer to a memory job; what the platform does not tell is not there."""
    found: list[tuple[str, float, str, Details]] = []
    if "peak_bytes" in answer:
        found.append(
            ("resident_bytes", float(answer["peak_bytes"]), "B", {"process_bytes": int(answer["process_bytes"])})
        )
    if "joules" in answer:
        calls = int(answer["calls"])
        details = {"watts": float(answer["joules"]) / float(answer["seconds"]), "calls": calls}
        found.append(("energy_mj", 1e3 * float(answer["joules"]) / calls, "mJ", details))
    return [
        Measurement(metric, value, unit, value, value, "measured", 1, name, fingerprint, sha256_of(file),
                    details={"protocol": VERSION, "engine": engine, **details})
        for metric, value, unit, details in found
    ]  # fmt: skip
