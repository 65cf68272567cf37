"""Which engines a file is timed in, here or on another machine, and which of them it is fastest in.

With several engines a file is in every round once in each. The reference is in one engine only, the first, so that
ratios to it compare whichever engine a file is fastest in. Another engine than the first is only chosen where it is
shown to be faster, by the same rule as between two files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from compress.devices import DeviceError
from compress.devices.answers import measurements_of
from compress.devices.faster import compare
from compress.devices.jobs import file_entry, read_shapes
from compress.devices.protocol import VERSION, Sampling
from compress.measurement import Measurement
from compress.runner.engines import ENGINES, engine

AUTO = "auto"
PRECISIONS = ("f32", "bf16", "f16")  # of openvino; onnxruntime computes as the file says


@dataclass(frozen=True)
class Setup:
    """How files are run. engines: by name, in the order of ENGINES. precision: of OpenVINO's arithmetic. shapes: of
    inputs that leave sizes open. choose: say which engine is the fastest, instead of running in the only one."""

    engines: tuple[str, ...]
    threads: int
    precision: str = PRECISIONS[0]
    shapes: str = ""
    choose: bool = False

    @property
    def options(self) -> dict[str, Any]:
        """What the runner is told."""
        return {"threads": self.threads, "precision": self.precision}


def described(machine: Mapping[str, Any], versions: Mapping[str, str], setup: Setup) -> dict[str, str]:
    """The fingerprint of a machine with these engines: the same whichever way it is reached."""
    texts = {name: engine(name).options_text(setup.options) for name in setup.engines}
    (name, text), *_ = texts.items()
    version = versions[name]
    if setup.choose:
        name, version = AUTO, ", ".join(f"{each} {versions[each]}" for each in texts)
        text = "; ".join(f"{each}: {options}" for each, options in texts.items())
    return {
        **{str(key): str(value) for key, value in machine.items()},
        "runtime": name,
        "runtime_version": version,
        "options": f"{text} {setup.shapes}".rstrip(),
        "protocol": VERSION,
    }


def chosen_engines(wanted: str, installed: Mapping[str, str], where: str) -> tuple[str, ...]:
    """The engine of that name, or all that are installed for `auto`. Raises: DeviceError: if there is none."""
    names = tuple(name for name in ENGINES if name in installed) if wanted == AUTO else (wanted,)
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
    ask: Callable[[dict[str, Any]], dict[str, Any]],
    fingerprint: Callable[[], str],
) -> list[Measurement]:
    """One latency a file, in the order given, with the engine in its details.

    ask: sends a job to a runner. fingerprint: of who answered, asked afterwards. Raises: DeviceError.
    """
    pairs = [(path, each) for path in files for each in setup.engines]
    answer = ask(measure_job([(reference, setup.engines[0]), *pairs], setup, sampling))
    answered = answer.get("files", []) if setup.choose else []
    failed = [str(one["error"]) if "error" in one else "" for one in answered] or [""] * (1 + len(pairs))
    if failed[0]:
        raise DeviceError(failed[0])
    timed = [pair for pair, why in zip(pairs, failed[1:], strict=True) if not why]
    if answered:
        answer = {**answer, "files": [one for one in answered if "error" not in one]}
    paths = [path for path, _ in timed]
    found = iter(measurements_of(answer, paths, reference, setup.threads, name, fingerprint()))
    choices = []
    for i, path in enumerate(files):
        reasons = failed[1 + i * len(setup.engines) :][: len(setup.engines)]
        ran = {each: next(found) for each, why in zip(setup.engines, reasons, strict=True) if not why}
        if not ran:
            raise DeviceError(f"no engine runs {path.name}. {' '.join(reasons)}")
        choices.append(fastest(ran))
    return choices


def fastest(found: Mapping[str, Measurement]) -> Measurement:
    """The measurement in the engine that is shown to be the fastest, else in the first; in its details how many times
    as long each of the others takes."""
    first, best = next(iter(found)), min(found, key=lambda name: float(found[name].details["ratio"]))
    if best != first and compare(found[best], found[first]).verdict != "faster":
        best = first
    beside = {f"times_{name}": compare(m, found[best]).ratio for name, m in found.items() if name != best}
    return replace(found[best], details={**found[best].details, "engine": best, **beside})
