"""Times ONNX files in ONNX Runtime: one JSON job on stdin, one JSON answer on stdout, and it is gone.

This one file is also what runs on other machines, as it stands, so it imports numpy, onnxruntime and the standard
library and nothing of Lathe. A job is `{"do": "probe" | "measure" | "memory", ...}` with the arguments of the function
of that name; `"limit_s"` ends it, `"alone"` makes it wait until nobody else measures there. Files are {path, sha256}.
Nothing is unpickled, nothing listens.

The protocol: interleaved random rounds, a few samples a visit, of which the fastest will count; calls that are short
are timed in batches. Beside each sample's time on the wall stands its time on the processor, because on a busy machine
only that tells how long a single-threaded call takes. What disturbs is counted, not removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from typing import Any

import numpy as np

SHORT_S = 50e-6  # calls shorter than this are batched,
SAMPLE_S = 200e-6  # so that one sample lasts about this long
STABLE = 0.02  # warm once two successive medians agree within this
WARM_CALLS, WARM_GROUP, WARM_CAP_S = 10, 5, 0.5
ENGINES = ("onnxruntime", "openvino")
RAPL = "/sys/class/powercap"
FIELDS = {"vendor_id": "cpu_vendor", "model name": "cpu", "cpu family": "cpu_family", "model": "cpu_model",
          "stepping": "cpu_stepping", "microcode": "cpu_microcode", "cache size": "cpu_cache"}  # fmt: skip
IDENTITY = bytes.fromhex(  # the smallest ONNX file: y = x of one number; opening it loads what the engine loads late
    "08083a370a100a017812017922084964656e746974791201675a0f0a0178120a0a08080112040a020801620f0a0179120a0a08080112040a02080142040a00100d"
)
TYPES = {"float": "float32", "float16": "float16", "double": "float64", "bool": "bool", "int8": "int8",
         "uint8": "uint8", "int16": "int16", "uint16": "uint16", "int32": "int32", "uint32": "uint32",
         "int64": "int64", "uint64": "uint64"}  # fmt: skip


class Unrunnable(Exception):
    """A file or a job that cannot be run; the message is for the user."""


Call = Callable[[], object]
Clock = Callable[[], float]  # seconds
Shapes = Mapping[str, Sequence[int]]


# What the machine is


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
    return about


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


# Opening and feeding a file


def session_options(threads: int = 1) -> Any:
    """All optimisations, sequential, `threads` threads that do not spin, errors only in the log."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    return options


def ready_call(path: str, threads: int = 1, shapes: Shapes | None = None) -> tuple[Call, list[str]]:
    """(a function that runs the file once on fixed inputs, notes). Inputs and outputs are bound: 5-15 us less a call.

    shapes: {input: sizes} for inputs that leave sizes open; where nothing is said, an open size is 1.
    Raises: Unrunnable: if the file cannot be opened, fed or run.
    """
    import onnxruntime as ort

    name = os.path.basename(path)
    try:
        session = ort.InferenceSession(str(path), session_options(threads), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no common ancestor but Exception
        raise Unrunnable(f"ONNX Runtime cannot open {name}: {_line(error)} Export the network again.") from error
    unknown = set(shapes or {}) - {given.name for given in session.get_inputs()}
    if unknown:
        known = ", ".join(repr(given.name) for given in session.get_inputs())
        raise Unrunnable(f"{name} has no input {', '.join(map(repr, sorted(unknown)))}. It has {known}.")
    notes, binding, generator = [], session.io_binding(), np.random.default_rng(0)
    for given in session.get_inputs():
        sizes, about = sizes_of(given, (shapes or {}).get(given.name), name)
        notes += about
        value = ort.OrtValue.ortvalue_from_numpy(values_for(given, sizes, generator, name))
        binding.bind_ortvalue_input(given.name, value)
    for made in session.get_outputs():
        binding.bind_output(made.name, "cpu")
    try:
        session.run_with_iobinding(binding)
    except Exception as error:
        raise Unrunnable(f"{name} opens but does not run: {_line(error)} {_remedy(notes)}") from error
    return (lambda: session.run_with_iobinding(binding)), notes


def sizes_of(given: Any, wanted: Sequence[int] | None, name: str) -> tuple[list[int], list[str]]:
    """(the shape to feed an input with, notes about what the file leaves open)."""
    fixed = [size if isinstance(size, int) and size > 0 else None for size in given.shape]
    if wanted is None:
        open_sizes = [str(size or "?") for size, known in zip(given.shape, fixed, strict=True) if known is None]
        notes = [f"{given.name}: open size {', '.join(open_sizes)} set to 1"] if open_sizes else []
        return [size or 1 for size in fixed], notes
    fits = len(wanted) == len(fixed) and all(have in (None, want) for have, want in zip(fixed, wanted, strict=True))
    if not fits:
        raise Unrunnable(f"the input {given.name} of {name} is {given.shape}, which {wanted} does not fit.")
    return list(wanted), []


def values_for(given: Any, sizes: Sequence[int], generator: np.random.Generator, name: str) -> np.ndarray:
    """An array to feed an input: random numbers, and ones for wide integers, which are often indices or masks."""
    kind = TYPES.get(given.type.removeprefix("tensor(").removesuffix(")"))
    if kind is None or not given.type.startswith("tensor("):
        known = ", ".join(TYPES)
        raise Unrunnable(f"the input {given.name} of {name} is a {given.type}; what can be fed is a tensor of {known}.")
    if kind.startswith("float"):
        return generator.random(sizes, dtype="float32" if kind == "float32" else "float64").astype(kind)
    if kind in ("int8", "uint8"):
        return generator.integers(0, 127, sizes).astype(kind)
    return np.ones(sizes, kind)


def _remedy(notes: Sequence[str]) -> str:
    if notes:
        return f"Give the sizes that the file leaves open ({'; '.join(notes)}), or export it with fixed ones."
    return "Export the network again."


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


# Timing


Times = tuple[list[list[float]], list[list[float]], int]


def sample(
    calls: Sequence[Call],
    rounds: int,
    visits: int,
    seed: int,
    wall: Clock = time.perf_counter,
    busy: Clock = time.thread_time,
) -> list[Times]:
    """Visit every call once a round, in a new random order each round, `visits` samples a visit.

    Returns: one (seconds, busy seconds, batch) a call; seconds are (rounds, visits) lists of what one call took on the
    wall and on the processor. Cost: rounds * visits * latency each, and the warm-up.
    """
    generator = np.random.default_rng(seed)
    usual = [warm_up(call, wall) for call in calls]
    batches = [max(1, round(SAMPLE_S / t)) if t < SHORT_S else 1 for t in usual]
    seconds = np.zeros((2, len(calls), rounds, visits))
    for turn in range(rounds):
        for i in generator.permutation(len(calls)):
            call, batch = calls[i], batches[i]
            for k in range(visits):
                before, began = busy(), wall()
                for _ in range(batch):
                    call()
                ended, after = wall(), busy()
                seconds[:, i, turn, k] = (ended - began) / batch, (after - before) / batch
    return [(seconds[0, i].tolist(), seconds[1, i].tolist(), batches[i]) for i in range(len(calls))]


def warm_up(call: Call, wall: Clock = time.perf_counter) -> float:
    """Call until two successive medians of 5 agree within 2 % (at most 0.5 s); returns the seconds of one call."""
    began, before, done = wall(), 0.0, 0
    while True:
        times = []
        while len(times) < WARM_GROUP and not (times and wall() - began > WARM_CAP_S):
            start = wall()
            call()
            times.append(wall() - start)
        median = float(np.median(times))
        done += len(times)
        if wall() - began > WARM_CAP_S or (done >= WARM_CALLS and abs(median - before) <= STABLE * median):
            return max(median, 1e-9)
        before = median


def disturbances() -> dict[str, float]:
    """Running totals: switches forced on this process, and seconds that a host took from this machine."""
    fields = text_of("/proc/stat").split("\n", 1)[0].split()
    stolen = int(fields[8]) / os.sysconf("SC_CLK_TCK") if len(fields) > 8 else 0.0
    return {"switches": resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw, "stolen_s": stolen}


# Jobs


def probe() -> dict[str, Any]:
    """What runs here, which arithmetic the processor has instructions for, and whether others measure."""
    import onnxruntime as ort

    flags = cpuinfo(text_of("/proc/cpuinfo"))
    flags = set(flags.get("flags", flags.get("Features", "")).split())
    fast = {
        "int8": bool(flags & {"avx512_vnni", "avx_vnni", "asimddp", "i8mm"}),
        "float16": bool(flags & {"avx512_fp16", "fphp", "asimdhp"}),
        "bfloat16": bool(flags & {"avx512_bf16", "amx_bf16", "bf16"}),
    }
    return {
        "python": platform.python_version(),
        "engines": {found.name: found.version for found in metadata.distributions() if found.name in ENGINES},
        "providers": ort.get_available_providers(),
        "fast": fast,
        "load": os.getloadavg()[0],
        "busy": busy(),
    }


def busy() -> bool:
    """Whether somebody measures here now; who only trains lets measurers in between two steps."""
    import fcntl

    try:
        with contextlib.suppress(FileNotFoundError), open(lock_file("inside")) as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def lock_file(part: str) -> str:
    """Where the locks are that `compress/devices/lock.py` explains."""
    return os.path.join(os.environ.get("LATHE_LOCK_DIR") or tempfile.gettempdir(), f"lathe-cpu.{part}.lock")


def measure(
    files: Sequence[Mapping[str, str]],
    threads: int = 1,
    rounds: int = 30,
    calls: int = 5,
    seed: int = 0,
    shapes: Shapes | None = None,
) -> dict[str, Any]:
    """Time the files beside each other, each in a session of its own that is new."""
    ready = [ready_call(path, threads, shapes) for path in _verified(files)]
    before, began = disturbances(), time.perf_counter()
    found = sample([call for call, _ in ready], rounds, calls, seed)
    after, seconds = disturbances(), time.perf_counter() - began
    return {
        "files": [
            {"seconds": wall, "busy_seconds": busy, "batch": batch, "notes": notes}
            for (wall, busy, batch), (_, notes) in zip(found, ready, strict=True)
        ],
        "sampling_s": seconds,
        "load": os.getloadavg()[0],
        **{name: after[name] - before[name] for name in before},
    }


def memory(file: Mapping[str, str], threads: int = 1, shapes: Shapes | None = None) -> dict[str, Any]:
    """Bytes that opening and running a file adds to this process at its peak, and energy where it is counted.

    The peak is the kernel's high-water mark of resident memory, reset after the engine is loaded; {} where that cannot
    be done.
    """
    import onnxruntime as ort

    (path,) = _verified([file])
    ort.InferenceSession(IDENTITY, session_options(threads), providers=["CPUExecutionProvider"]).run(
        None, {"x": np.ones(1, np.float32)}
    )
    try:
        with open("/proc/self/clear_refs", "w") as marks:
            marks.write("5")
    except OSError:
        return {}
    before = _status_bytes("VmRSS")
    call, _ = ready_call(path, threads, shapes)
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


def _verified(files: Sequence[Mapping[str, str]]) -> list[str]:
    """The paths of [{"path", "sha256"}], each read again: what was sent is what is timed."""
    for file in files:
        with contextlib.suppress(OSError), open(file["path"], "rb") as stream:
            if hashlib.sha256(stream.read()).hexdigest() != file["sha256"]:
                raise Unrunnable(f"{os.path.basename(file['path'])} is not what was sent: its sha256 differs.")
    return [file["path"] for file in files]


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Nobody else measures or trains here meanwhile: the same two locks as `compress/devices/lock.py`."""
    import fcntl

    os.makedirs(os.path.dirname(lock_file("gate")), exist_ok=True)
    with contextlib.ExitStack() as stack:
        locks = []
        for part in ("gate", "inside"):
            path = lock_file(part)
            descriptor = os.open(path, os.O_RDONLY | (0 if os.path.exists(path) else os.O_CREAT), 0o644)
            stack.callback(os.close, descriptor)
            locks.append(descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        fcntl.flock(locks[0], fcntl.LOCK_UN)
        yield


def main() -> None:
    """Answer one job; what goes wrong is an answer too: {"error": what to tell the user}."""
    job = json.load(sys.stdin)
    do, limit_s, locked = job.pop("do"), job.pop("limit_s", 0), job.pop("alone", False)
    try:
        with alone() if locked else contextlib.nullcontext():
            signal.alarm(int(limit_s))  # the kernel ends what takes longer; 0 is no limit
            answer = {"probe": probe, "measure": measure, "memory": memory}[do](**job)
            answer.update(machine=machine(), runtime_version=sys.modules["onnxruntime"].__version__)
    except Unrunnable as error:
        answer = {"error": str(error)}
    except ImportError as error:
        answer = {"error": f"{platform.node()} lacks {error.name}: pip install numpy onnxruntime there."}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
