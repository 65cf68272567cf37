"""What opening and running a file costs beside time: memory at its peak, and energy where it is counted."""

from __future__ import annotations

import os
import time

from compress.runner.engines import Call, Options, Shapes, engine
from compress.runner.feeding import ready_call
from compress.runner.machine import text_of

RAPL = "/sys/class/powercap"


def memory(path: str, name: str, options: Options, shapes: Shapes | None = None) -> dict[str, float]:
    """Bytes that opening and running a file adds to this process at its peak, and energy where it is counted.

    The peak is the kernel's high-water mark of resident memory, reset after the engine is loaded; {} where that cannot
    be done.
    """
    engine(name).load()
    try:
        with open("/proc/self/clear_refs", "w") as marks:
            marks.write("5")
    except OSError:
        return {}
    before = _status_bytes("VmRSS")
    call, _ = ready_call(path, name, options, shapes)
    for _ in range(3):
        call()
    return {"peak_bytes": _status_bytes("VmHWM") - before, "process_bytes": _status_bytes("VmHWM"), **energy(call)}


def energy(call: Call, seconds: float = 1.0, folder: str = RAPL) -> dict[str, float]:
    """{joules, calls, seconds} of calling for about a second, from the processor's own counters; {} where unreadable.

    The counters are of the whole processor package, other processes' work included.
    """
    counters = [os.path.join(folder, name) for name in sorted(os.listdir(folder))] if os.path.isdir(folder) else []
    counters = [c for c in counters if os.path.basename(c).count(":") == 1 and text_of(os.path.join(c, "energy_uj"))]
    if not counters:
        return {}
    before, began, calls = [_microjoules(c) for c in counters], time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        call()
        calls += 1
    took = time.perf_counter() - began
    spent = 0
    for counter, start in zip(counters, before, strict=True):
        wraps = int(text_of(os.path.join(counter, "max_energy_range_uj")) or 0) + 1
        spent += (_microjoules(counter) - start) % wraps if wraps > 1 else _microjoules(counter) - start
    return {"joules": spent / 1e6, "calls": calls, "seconds": took}


def _microjoules(counter: str) -> int:
    return int(text_of(os.path.join(counter, "energy_uj")))


def _status_bytes(field: str) -> int:
    lines = text_of("/proc/self/status").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))
