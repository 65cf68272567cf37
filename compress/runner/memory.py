"""What opening and running a file costs beside time: memory at its peak, and energy where it is counted."""

from __future__ import annotations

from compress.runner.energy import counters_of, energy
from compress.runner.engines import Options, Shapes, engine
from compress.runner.feeding import ready_call
from compress.runner.machine import text_of


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
    resident = {"peak_bytes": _status_bytes("VmHWM") - before, "process_bytes": _status_bytes("VmHWM")}
    return {**resident, **energy(call, counters_of(str(options.get("processor", ""))))}


def _status_bytes(field: str) -> int:
    lines = text_of("/proc/self/status").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))
