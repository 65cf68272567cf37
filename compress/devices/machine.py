"""What this machine is, as far as a latency depends on it."""

import hashlib
import os
import platform
from functools import cache
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
FIELDS = {"vendor_id": "cpu_vendor", "model name": "cpu", "cpu family": "cpu_family", "model": "cpu_model",
          "stepping": "cpu_stepping", "microcode": "cpu_microcode", "cache size": "cpu_cache"}  # fmt: skip


@cache
def describe_machine() -> dict[str, str]:
    """CPU, instruction sets, cores this process may use, frequency governor, kernel; what is not readable is left out.

    The instruction sets are hashed: virtual machines all call their CPU the same, and whether VNNI is there decides
    how fast int8 is.
    """
    about = {"machine": platform.machine(), "system": platform.system(), "kernel": platform.release()}
    about["cores"] = str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    about["libc"] = " ".join(platform.libc_ver())
    info = read_cpuinfo(_text(CPUINFO))
    about |= {ours: info[theirs] for theirs, ours in FIELDS.items() if theirs in info}
    if "cpu" not in about:
        about["cpu"] = platform.processor() or "unknown"
    flags = info.get("flags", info.get("Features", ""))
    about["cpu_flags_sha256"] = hashlib.sha256(" ".join(sorted(flags.split())).encode()).hexdigest()
    governor = _text(GOVERNOR).strip()
    return about | ({"governor": governor} if governor else {})


def read_cpuinfo(text: str) -> dict[str, str]:
    """The first processor's fields in the kernel's listing."""
    first = text.split("\n\n", 1)[0]
    pairs = (line.partition(":") for line in first.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
