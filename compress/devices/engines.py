"""Which engines a file is timed in, here or on another machine, and which of them it is fastest in.

With several engines a file is in every round once in each. The reference is in one engine only, the first, so that
ratios to it compare whichever engine a file is fastest in. Another engine than the first is only chosen where it is
shown to be faster, by the same rule as between two files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from compress.artifact import sha256_of
from compress.devices import DeviceError
from compress.devices.answers import measurements_of
from compress.devices.faster import compare
from compress.devices.jobs import file_entry, read_shapes
from compress.devices.protocol import VERSION, Sampling
from compress.export.formats import file_read_by
from compress.measurement import Measurement
from compress.runner.engines import ENGINES, engine
from compress.runner.engines.torch import MODES

AUTO = "auto"
RIVALS = ("onnxruntime", "openvino", "executorch")  # for `auto` where nothing is said: engines made for devices
PRECISIONS = ("f32", "bf16", "f16")  # of openvino; the others compute as the file says
PROCESSORS = ("cpu", "cuda")
GPU = "gpu"  # of a machine: part of the fingerprint where it is used


@dataclass(frozen=True)
class Setup:
    """How files are run. engines: by name, in the order of ENGINES. precision: of OpenVINO's arithmetic. shapes: of
    inputs that leave sizes open. choose: say which engine is the fastest, instead of running in the only one. mode: of
    torch, compile or eager. processor: cpu or cuda."""

    engines: tuple[str, ...]
    threads: int
    precision: str = PRECISIONS[0]
    shapes: str = ""
    choose: bool = False
    mode: str = MODES[0]
    processor: str = PROCESSORS[0]

    @property
    def options(self) -> dict[str, Any]:
        """What the runner is told."""
        return {"threads": self.threads, "precision": self.precision, "mode": self.mode, "processor": self.processor}

    @property
    def formats(self) -> tuple[str, ...]:
        """Names of the exporters whose files the engines read."""
        return tuple(dict.fromkeys(engine(name).READS.removeprefix(".") for name in self.engines))


def described(machine: Mapping[str, Any], versions: Mapping[str, str], setup: Setup) -> dict[str, str]:
    """The fingerprint of a machine with these engines: the same whichever way it is reached."""
    texts = {name: engine(name).options_text(setup.options) for name in setup.engines}
    (name, text), *_ = texts.items()
    version = versions[name]
    if setup.choose:
        name, version = AUTO, ", ".join(f"{each} {versions[each]}" for each in texts)
        text = "; ".join(f"{each}: {options}" for each, options in texts.items())
    unused = () if setup.processor == "cuda" else (GPU,)
    return {
        **{str(key): str(value) for key, value in machine.items() if key not in unused},
        "runtime": name,
        "runtime_version": version,
        "options": f"{text} {setup.shapes}".rstrip(),
        "protocol": VERSION,
    }


def chosen_engines(
    wanted: str, installed: Mapping[str, str], where: str, rivals: Sequence[str] = RIVALS
) -> tuple[str, ...]:
    """The engine of that name, or for `auto` those of the rivals that are installed, in the order of ENGINES.

    Raises: DeviceError: if there is none."""
    names = tuple(name for name in ENGINES if name in installed and name in rivals) if wanted == AUTO else (wanted,)
    missing = [name for name in names or ENGINES[:1] if name not in installed]
    if missing:
        raise DeviceError(f"{where} lacks {missing[0]}: pip install {engine(missing[0]).INSTALL} there.")
    return names


def measure_job(files: Sequence[tuple[Path, str]], setup: Setup, sampling: Sampling) -> dict[str, Any]:
    """The arguments of the runner's `measure` for (file, engine) pairs. Raises: DeviceError: if one cannot be read."""
    return {
        "files": [{**file_entry(path), "engine": name} for path, name in files],
        "options": setup.options,
        "rounds": sampling.rounds,
        "calls": sampling.calls,
        "seed": sampling.seed,
        "shapes": read_shapes(setup.shapes),
        "tolerant": setup.choose,
    }


def measure_in(
    setup: Setup,
    sampling: Sampling,
    files: Sequence[Path],
    reference: Path,
    name: str,
    ask: Callable[[dict[str, Any], Sequence[Path]], dict[str, Any]],
    fingerprint: Callable[[], str],
) -> list[Measurement]:
    """One latency a file, in the order given, with the engine in its details.

    ask: sends a job, and the files in it, to a runner. fingerprint: of who answered, asked afterwards. A measurement is
    one of the file that was given, by its sha256; what was run in its place is in its details, `file`.
    Raises: DeviceError.
    """
    beside, runs = _what_runs(setup, files, reference)
    answer = ask(measure_job([beside, *((ran, each) for _, each, ran in runs)], setup, sampling),
                 [beside[0], *(ran for _, _, ran in runs)])  # fmt: skip
    answered = answer.get("files", []) if setup.choose else []
    failed = [str(one["error"]) if "error" in one else "" for one in answered] or [""] * (1 + len(runs))
    if failed[0]:
        raise DeviceError(failed[0])
    if answered:
        answer = {**answer, "files": [one for one in answered if "error" not in one]}
    timed = [ran for (_, _, ran), why in zip(runs, failed[1:], strict=True) if not why]
    found = iter(measurements_of(answer, timed, beside[0], setup.threads, name, fingerprint()))
    rows = list(zip(runs, failed[1:], strict=True))
    results: list[dict[str, Measurement | str]] = [{} for _ in files]
    for (at, each, ran), why in rows:
        results[at][each] = why or _of_file(files[at], ran, next(found))
    return [_chosen(path, one) for path, one in zip(files, results, strict=True)]


def _what_runs(
    setup: Setup, files: Sequence[Path], reference: Path
) -> tuple[tuple[Path, str], list[tuple[int, str, Path]]]:
    """(the reference's file and engine; (number of the file, engine, what it runs)). Raises: DeviceError: if there is
    nothing for an engine to run."""
    first = next(iter(_readers(setup, reference)), None)
    runs = [(i, each, ran) for i, path in enumerate(files) for each, ran in _readers(setup, path)]
    run = {at for at, _, _ in runs}
    lacking = [reference] if first is None else [path for i, path in enumerate(files) if i not in run]
    if first is None or lacking:
        suffixes = " or ".join(dict.fromkeys(engine(each).READS for each in setup.engines))
        name = lacking[0].name
        raise DeviceError(
            f"{' and '.join(setup.engines)} runs {suffixes} files; {name} is none, and beside it lies none. "
            f"Write one from the PyTorch network: search export --format {suffixes.split()[0][1:]}."
        )
    return (first[1], first[0]), runs


def _readers(setup: Setup, path: Path) -> Iterator[tuple[str, Path]]:
    """(engine, what it runs) for each engine that has something to run."""
    for each in setup.engines:
        ran = file_read_by(path, engine(each).READS)
        if ran is not None:
            yield each, ran


def read_by(name: str, file: Path) -> Path:
    """What the engine of that name runs of a network. Raises: DeviceError: if there is nothing."""
    found = file_read_by(file, engine(name).READS)
    if found is None:
        raise DeviceError(f"{name} runs {engine(name).READS} files; beside {file.name} lies none.")
    return found


def _of_file(path: Path, ran: Path, found: Measurement) -> Measurement:
    """A measurement of `ran` as one of `path`, which is the same network."""
    if ran == path:
        return found
    notes = "; ".join(filter(None, [str(found.details.get("notes", "")), f"ran {ran.name}"]))
    details = {**found.details, "file": str(found.artifact), "notes": notes}
    return replace(found, artifact=sha256_of(path), details=details)


def _chosen(path: Path, found: Mapping[str, Measurement | str]) -> Measurement:
    ran = {each: one for each, one in found.items() if isinstance(one, Measurement)}
    if not ran:
        raise DeviceError(f"no engine runs {path.name}. {' '.join(str(why) for why in found.values())}")
    return fastest(ran)


def fastest(found: Mapping[str, Measurement]) -> Measurement:
    """The measurement in the engine that is shown to be the fastest, else in the first; in its details how many times
    as long each of the others takes."""
    first, best = next(iter(found)), min(found, key=lambda name: float(found[name].details["ratio"]))
    if best != first and compare(found[best], found[first]).verdict != "faster":
        best = first
    beside = {f"times_{name}": compare(m, found[best]).ratio for name, m in found.items() if name != best}
    return replace(found[best], details={**found[best].details, "engine": best, **beside})
