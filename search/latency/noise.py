"""A model against itself: whatever differs is the noise of measuring, here and as it is done elsewhere."""

from __future__ import annotations

import contextlib
import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compress.devices import DeviceError as Unmeasurable
from compress.devices.lock import exclusive
from compress.devices.onnxruntime import OnnxRuntime
from compress.devices.sessions import measure_sessions
from compress.runner.engines import Unrunnable
from compress.runner.feeding import ready_call
from search.errors import DeviceError

TARGET = 0.005  # standard deviation of the ratio, with 10 busy processes beside
MEANS = {"mean of 30 calls": (10, 30), "mean of 300 calls after 50": (50, 300)}  # (warm-up, calls), one after the other
BUSY = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    sum(range(100000))"


@dataclass(frozen=True)
class Noise:
    """What one way of measuring makes of a ratio that is 1: standard deviation and worst error, relative."""

    protocol: str
    sd: float
    worst: float
    calls: int
    seconds: float


def noise_of(path: Path, sessions: int, repeats: int, step: Callable[[int], None]) -> list[Noise]:
    """This protocol in one session and in several, and two plain means, `repeats` times each, all in turn.

    step(done): after each of the repeats. Raises: DeviceError. Cost: a few seconds a repeat on a busy machine.
    """
    device = OnnxRuntime()
    ways: dict[str, tuple[Callable[[], float], int]] = {
        f"this protocol, {n} session{'s' * (n > 1)}": (
            lambda n=n: _ratio(device, path, n),
            n * device.rounds * device.calls,
        )
        for n in (sessions, 1)
    }
    ways |= {name: (lambda plan=plan: _ratio_of_means(path, *plan), sum(plan)) for name, plan in MEANS.items()}
    errors: dict[str, list[float]] = {name: [] for name in ways}
    seconds = dict.fromkeys(ways, 0.0)
    try:
        for done in range(repeats):
            for name, (way, _) in ways.items():
                began = time.monotonic()
                errors[name].append(math.log(way()))
                seconds[name] += time.monotonic() - began
            step(done + 1)
    except (Unmeasurable, Unrunnable) as error:
        raise DeviceError(str(error)) from error
    return [
        Noise(name, _sd(errors[name]), float(np.expm1(np.abs(errors[name])).max()), calls, seconds[name] / repeats)
        for name, (_, calls) in ways.items()
    ]


def _sd(errors: Sequence[float]) -> float:
    """Around the truth, which is known to be 0: a way that is always wrong by the same is not precise."""
    return float(np.sqrt(np.mean(np.square(errors))))


def _ratio(device: OnnxRuntime, path: Path, sessions: int) -> float:
    (found,) = measure_sessions(device, [path], path, "here", sessions)
    return float(found.details["ratio"])


def _ratio_of_means(path: Path, warm_up: int, calls: int) -> float:
    with exclusive("cpu"):
        means = []
        for _ in range(2):
            call, _ = ready_call(str(path))
            for _ in range(warm_up):
                call()
            began = time.perf_counter()
            for _ in range(calls):
                call()
            means.append(time.perf_counter() - began)
    return means[0] / means[1]


@contextlib.contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """So many processes that compute all the time; they end with the block, and with this process."""
    running: list[subprocess.Popen[bytes]] = []
    try:
        running += [subprocess.Popen([sys.executable, "-I", "-c", BUSY]) for _ in range(count)]
        yield
    finally:
        for process in running:
            process.kill()
        for process in running:
            process.wait()
