"""Energy of calling a file, from the counters that a platform keeps: RAPL of the processor, NVML of a GPU.

Not run anywhere so far: NVML on a GPU. What is written for it follows NVIDIA's NVML API reference
(nvmlDeviceGetTotalEnergyConsumption, millijoules since the driver was loaded); tests give it a stand-in library.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from compress.runner.engines import Call
from compress.runner.machine import text_of

RAPL = "/sys/class/powercap"
NVML = "libnvidia-ml.so.1"


class Counter(NamedTuple):
    """read: joules since some moment. wraps_at: it begins at 0 again there; 0: never."""

    read: Callable[[], float]
    wraps_at: float = 0.0


def energy(call: Call, counters: Sequence[Counter], seconds: float = 1.0) -> dict[str, float]:
    """{joules, calls, seconds} of calling for about a second, all counters together; {} without any.

    A counter is of a whole processor or GPU, other processes' work included.
    """
    if not counters:
        return {}
    before, began, calls = [counter.read() for counter in counters], time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        call()
        calls += 1
    took, spent = time.perf_counter() - began, 0.0
    for counter, start in zip(counters, before, strict=True):
        used = counter.read() - start
        spent += used % counter.wraps_at if counter.wraps_at else used
    return {"joules": spent, "calls": calls, "seconds": took}


def counters_of(processor: str) -> list[Counter]:
    """Those that this machine has of what runs the file: the processor's packages, and for `cuda` the first GPU too."""
    return packages() + (gpus() if processor == "cuda" else [])


def packages(folder: str = RAPL) -> list[Counter]:
    """A counter for each processor package that the kernel lets this user read."""
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    found = [os.path.join(folder, name) for name in names if name.count(":") == 1]  # two colons: a part of a package
    return [_package(counter) for counter in found if text_of(os.path.join(counter, "energy_uj"))]


def _package(folder: str) -> Counter:
    most = int(text_of(os.path.join(folder, "max_energy_range_uj")) or 0)
    return Counter(lambda: int(text_of(os.path.join(folder, "energy_uj"))) / 1e6, (most + 1) / 1e6 if most else 0.0)


def gpus(library: str = NVML) -> list[Counter]:
    """The first GPU's counter, where NVIDIA's library is there and the GPU keeps one (Volta and later)."""
    try:
        nvml = ctypes.CDLL(library)
    except OSError:
        return []
    handle, millijoules = ctypes.c_void_p(), ctypes.c_ulonglong()

    def read() -> float:
        nvml.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(millijoules))
        return millijoules.value / 1e3

    asked = [
        lambda: nvml.nvmlInit_v2(),
        lambda: nvml.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(0), ctypes.byref(handle)),
        lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(millijoules)),
    ]
    return [Counter(read)] if all(ask() == 0 for ask in asked) else []
