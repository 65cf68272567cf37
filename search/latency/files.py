"""Latency of any ONNX files of the user's, beside each other, without a study."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from compress.artifact import sha256_of
from compress.devices import Device, Weighs
from compress.devices import DeviceError as Unmeasurable
from compress.devices.faster import Comparison, compare
from compress.devices.jobs import read_shapes
from compress.devices.sessions import measure_sessions
from compress.export import ExportError
from compress.export.arena import arena_bytes
from compress.measurement import Measurement, exact
from compress.runner.engines import Unrunnable
from compress.runner.machine import machine
from search.errors import DeviceError, NotFound, UsageError
from search.report.words import counted


@dataclass(frozen=True)
class Effort:
    """sessions: fresh ones. rounds, calls: in each. seconds: rather fewer calls, then fewer rounds, than longer."""

    sessions: int = 3
    rounds: int = 30
    calls: int = 5
    seconds: float = 60.0


USUAL, THOROUGH = Effort(), Effort(sessions=7, rounds=60, seconds=300.0)
LEAST_ROUNDS = 10


@dataclass(frozen=True)
class FileReport:
    """What was found about one file. against: it beside the first file; of the first, None. resources: as readable."""

    path: Path
    latency: Measurement
    resources: tuple[Measurement, ...]
    against: Comparison | None


def with_settings(device: Any, **settings: Any) -> Any:
    """The device with these fields, where it has them; raises UsageError for a `threads` that it has not."""
    known = {field.name for field in fields(device)}
    if "threads" in settings and "threads" not in known:
        raise UsageError("this device has no `threads`: leave the option away.")
    try:
        return replace(device, **{name: value for name, value in settings.items() if name in known})
    except ValueError as error:
        raise UsageError(str(error)) from error


def too_many_threads(device: Any, name: str) -> str:
    """A warning where an engine on this machine has more threads than cores that it may use; else nothing."""
    threads, cores = getattr(device, "threads", 1), int(machine()["cores"])
    if not hasattr(device, "setup") or threads <= cores:  # of another machine nothing is known here
        return ""
    return (
        f"warning: {name} has threads: {threads}, and this process may use {counted(cores, 'core')}: "
        "its threads wait for each other, and latencies are longer and less steady."
    )


def files_in(given: Path) -> list[Path]:
    """The file itself; of a folder that `search export` wrote, its models, the shipped one first.

    Raises: NotFound: nothing is there. UsageError: another folder.
    """
    if given.is_file():
        return [given]
    if not given.is_dir():
        raise NotFound(f"no file {given}.")
    try:
        names = list(json.loads((given / "card.json").read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, LookupError, TypeError):
        names = []
    found = [given / name for name in names if (given / name).is_file()]
    if not found:
        inside = next(iter(sorted(given.glob("*.onnx"))), None)
        remedy = f"Name the files in it:  search measure {inside}" if inside else "Name an ONNX file."
        raise UsageError(f"{given} is a folder, and not one that `search export` wrote. {remedy}")
    return found


def measure_files(
    device: Any,
    name: str,
    files: Sequence[Path],
    effort: Effort,
    start: Callable[[int, float], None] = lambda steps, seconds: None,
    step: Callable[[int], None] = lambda done: None,
) -> list[FileReport]:
    """Measure the files in the same rounds, the first as reference, after a short look at how long they take.

    start(steps, expected seconds), step(done): how far it is. Raises: DeviceError, UsageError.
    """
    try:
        began = time.monotonic()
        pilot = with_settings(device, rounds=2, calls=1).measure(files, files[0], name)
        overhead_s = time.monotonic() - began
        once_s = sum(m.value for m in (pilot[0], *pilot)) / 1e3
        planned = fitted(effort, once_s)
        measured_s = planned.sessions * (overhead_s + planned.rounds * planned.calls * once_s)
        start(planned.sessions + len(files), measured_s + 1.5 * len(files))
        ready = with_settings(device, rounds=planned.rounds, calls=planned.calls)
        found = measure_sessions(ready, files, files[0], name, planned.sessions, repeats=2, after_each=step)
        resources = []
        for i, path in enumerate(files, 1):
            readable = tuple(device.resources(path, name)) if isinstance(device, Weighs) else ()
            resources.append((*readable, *_arena(device, path)))
            step(planned.sessions + i)
    except Unmeasurable as error:
        raise DeviceError(str(error)) from error
    return [
        FileReport(path, latency, more, compare(latency, found[0]) if i and latency.samples else None)
        for i, (path, latency, more) in enumerate(zip(files, found, resources, strict=True))
    ]


def _arena(device: Any, path: Path) -> tuple[Measurement, ...]:
    """Bytes of an ONNX file's tensors at their peak."""
    if path.suffix == ".onnx":
        with contextlib.suppress(ExportError, Unrunnable):  # of what another machine's engine alone can run
            found = arena_bytes(path, read_shapes(getattr(device, "shapes", "")))
            return (exact("arena_bytes", found, "B", sha256_of(path)),)
    return ()


def fitted(effort: Effort, once_s: float) -> Effort:
    """The effort with fewer calls, then fewer rounds, if every file once takes `once_s` and the time is not enough."""
    visits = effort.seconds / max(once_s * effort.sessions, 1e-9)
    calls = max(1, min(effort.calls, int(visits / effort.rounds)))
    rounds = max(LEAST_ROUNDS, min(effort.rounds, int(visits / calls)))
    return replace(effort, calls=calls, rounds=rounds)


def as_json(device: Device, name: str, reports: Sequence[FileReport]) -> Mapping[str, Any]:
    """Everything that was found, without the raw samples; stable, see docs/reference.md."""
    return {
        "v": 1,
        "device": {"name": name, "fingerprint": reports[0].latency.fingerprint, **device.fingerprint()},
        "files": [
            {
                "path": str(report.path),
                "sha256": report.latency.artifact,
                "latency_ms": {key: getattr(report.latency, key) for key in ("value", "low", "high", "kind")},
                "details": dict(report.latency.details),
                "against_first": vars(report.against) if report.against else None,
                **{m.metric: {"value": m.value, **m.details} for m in report.resources},
            }
            for report in reports
        ],
    }
