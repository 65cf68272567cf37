"""Answers one job. Files are {path, sha256}, and `engine` where they are not to run in ONNX Runtime."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from compress.runner.engines import ENGINES, Shapes, Unrunnable, engine, installed
from compress.runner.feeding import ready_call
from compress.runner.machine import disturbances, instructions, machine
from compress.runner.memory import memory
from compress.runner.sampling import sample
from compress.runner.turns import alone, busy

FIRST = ENGINES[0]


def probe() -> dict[str, Any]:
    """What runs here, which arithmetic the processor has instructions for, and whether others measure."""
    return {
        "python": platform.python_version(),
        "engines": installed(),
        "fast": instructions(),
        "load": os.getloadavg()[0],
        "busy": busy(),
    }


def measure(
    files: Sequence[Mapping[str, str]],
    options: Mapping[str, Any] | None = None,
    rounds: int = 30,
    calls: int = 5,
    seed: int = 0,
    shapes: Shapes | None = None,
    tolerant: bool = False,
) -> dict[str, Any]:
    """Time the files beside each other, each in a session of its own that is new.

    tolerant: a file that cannot be run is {"error": why} in the answer, and the others are timed.
    """
    ready: list[Any] = []
    for file in files:
        verify(file)
        try:
            ready.append(ready_call(file["path"], file.get("engine", FIRST), options, shapes))
        except Unrunnable as error:
            if not tolerant:
                raise
            ready.append({"error": str(error)})
    before, began = disturbances(), time.perf_counter()
    found = iter(sample([one[0] for one in ready if isinstance(one, tuple)], rounds, calls, seed))
    after, seconds = disturbances(), time.perf_counter() - began
    timed = []
    for file, one in zip(files, ready, strict=True):
        if isinstance(one, tuple):
            wall, on_processor, batch = next(found)
            one = {"seconds": wall, "busy_seconds": on_processor, "batch": batch, "notes": one[1]}
        timed.append({**one, "engine": file.get("engine", FIRST)})
    return {
        "files": timed,
        "sampling_s": seconds,
        "load": os.getloadavg()[0],
        **{name: after[name] - before[name] for name in before},
    }


def memory_of(
    file: Mapping[str, str], options: Mapping[str, Any] | None = None, shapes: Shapes | None = None
) -> dict[str, Any]:
    """Peak memory and energy of one file; see `memory.py`."""
    verify(file)
    return memory(file["path"], file.get("engine", FIRST), options or {}, shapes)


def verify(file: Mapping[str, str]) -> None:
    """Raises: Unrunnable: if the file's content is not that of its sha256: what was sent is what is timed."""
    with contextlib.suppress(OSError), open(file["path"], "rb") as stream:
        if hashlib.sha256(stream.read()).hexdigest() != file["sha256"]:
            raise Unrunnable(f"{os.path.basename(file['path'])} is not what was sent: its sha256 differs.")


def main() -> None:
    """Answer the job on stdin; what goes wrong is an answer too: {"error": what to tell the user}."""
    job = json.load(sys.stdin)
    do, limit_s, locked = job.pop("do"), job.pop("limit_s", 0), job.pop("alone", False)
    try:
        with alone() if locked else contextlib.nullcontext():
            signal.alarm(int(limit_s))  # the kernel ends what takes longer; 0 is no limit
            answer = {"probe": probe, "measure": measure, "memory": memory_of}[do](**job)
            answer.update(machine=machine(), engines=installed())
    except Unrunnable as error:
        answer = {"error": str(error)}
    except ImportError as error:
        package = engine(error.name).INSTALL if error.name in ENGINES else error.name
        answer = {"error": f"{platform.node()} lacks {error.name}: pip install numpy {package} there."}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
