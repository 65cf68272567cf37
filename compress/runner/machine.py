"""What the machine is, as far as a latency depends on it, and what disturbs it."""

from __future__ import annotations

import hashlib
import os
import platform
import resource

GPUS = "/proc/driver/nvidia/gpus"
FIELDS = {"vendor_id": "cpu_vendor", "model name": "cpu", "cpu family": "cpu_family", "model": "cpu_model",
          "stepping": "cpu_stepping", "microcode": "cpu_microcode", "cache size": "cpu_cache"}  # fmt: skip


def machine() -> dict[str, str]:
    """CPU, instruction sets, cores this process may use, frequency governor, kernel; what is not readable is left out.

    The instruction sets are hashed: virtual machines all call their CPU the same, and whether VNNI is there decides
    how fast int8 is.
    """
    about = {"machine": platform.machine(), "system": platform.system(), "kernel": platform.release()}
    about["cores"] = str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    about["libc"] = " ".join(platform.libc_ver())
    info = cpuinfo(text_of("/proc/cpuinfo"))
    about.update({ours: info[theirs] for theirs, ours in FIELDS.items() if theirs in info})
    about.setdefault("cpu", platform.processor() or "unknown")
    flags = info.get("flags", info.get("Features", ""))
    about["cpu_flags_sha256"] = hashlib.sha256(" ".join(sorted(flags.split())).encode()).hexdigest()
    governor = text_of("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip()
    if governor:
        about["governor"] = governor
    names = sorted({_gpu(text_of(os.path.join(GPUS, each, "information"))) for each in _listed(GPUS)} - {""})
    if names:
        about["gpu"] = f"{', '.join(names)}, {text_of('/proc/driver/nvidia/version').partition(chr(10))[0]}"
    return about


def _gpu(text: str) -> str:
    return cpuinfo(text).get("Model", "")


def _listed(folder: str) -> list[str]:
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def cpuinfo(text: str) -> dict[str, str]:
    """The first processor's fields in the kernel's listing."""
    pairs = (line.partition(":") for line in text.split("\n\n", 1)[0].splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def text_of(path: str) -> str:
    """A file of the kernel's, or "" where there is none."""
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def instructions() -> dict[str, bool]:
    """Which arithmetic the processor has instructions of its own for."""
    info = cpuinfo(text_of("/proc/cpuinfo"))
    flags = set(info.get("flags", info.get("Features", "")).split())
    return {
        "int8": bool(flags & {"avx512_vnni", "avx_vnni", "asimddp", "i8mm"}),
        "float16": bool(flags & {"avx512_fp16", "fphp", "asimdhp"}),
        "bfloat16": bool(flags & {"avx512_bf16", "amx_bf16", "bf16"}),
    }


def disturbances() -> dict[str, float]:
    """Running totals: switches forced on this process, and seconds that a host took from this machine."""
    fields = text_of("/proc/stat").split("\n", 1)[0].split()
    stolen = int(fields[8]) / os.sysconf("SC_CLK_TCK") if len(fields) > 8 else 0.0
    return {"switches": resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw, "stolen_s": stolen}
