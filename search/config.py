"""What a study is asked to do: space.yaml as frozen dataclasses, checked before anything runs."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compress.devices import DEVICES
from compress.export import EXPORTERS
from compress.recipe import STEPS, Step
from search.fields import Reading, quantity, shown
from search.objectives import Objective
from search.overrides import apply_overrides
from search.problems import Path as KeyPath
from search.samplers import SAMPLERS
from search.sharing import Sharing
from search.source import read_source
from search.space_config import read_space
from spaces.space import SearchSpace, StageSpace
from spaces.tasks import TASKS, Data, Task

SECTIONS = ("study", "task", "space", "supernet", "search", "objectives", "limits", "devices", "compress", "export")
COSTS = ("params", "macs", "peak_bytes", "size_bytes")
QUALITIES = {"loss": "min", "accuracy": "max"}
DEFAULT_DEVICES = {"here": {"kind": "onnxruntime"}}


@dataclass(frozen=True)
class Search:
    """How to look. trials: architectures to screen. calibration: how many of them, spread over the space, are measured
    to teach the latency predictor. exports: at most so many files are exported and measured while searching."""

    sampler: str = "nsga2"
    trials: int = 100
    seed: int = 0
    calibration: int = 20
    exports: int = 40

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise ValueError(f"`trials` must be at least 1, got {self.trials}.")
        if self.calibration < 4:
            raise ValueError(f"`calibration` must be at least 4, got {self.calibration}.")
        if self.exports < self.calibration:
            raise ValueError(f"`exports` must be at least `calibration` ({self.calibration}), got {self.exports}.")


@dataclass(frozen=True)
class Compress:
    """What happens to the winners. keep: how many networks of the front. epochs: training of each with its own weights.
    max_drop: points of accuracy that the compression of a network may cost."""

    keep: int = 3
    max_drop: float = 1.0
    epochs: int = 10
    lr: float = 0.02

    def __post_init__(self) -> None:
        if self.keep < 1:
            raise ValueError(f"`keep` must be at least 1, got {self.keep}.")
        if self.max_drop < 0:
            raise ValueError(f"`max_drop` must not be negative, got {self.max_drop}.")
        if self.epochs < 1 or self.lr <= 0:
            raise ValueError(f"`epochs` and `lr` must be positive, got {self.epochs} and {self.lr}.")


@dataclass(frozen=True)
class StudyConfig:
    """A checked space.yaml. `tree` is what the ledger stores: the file with its overrides, paths made absolute."""

    study: str
    task: Task
    stem_width: tuple[int, ...]
    stem_stride: int
    stages: tuple[StageSpace, ...]
    supernet: Sharing
    search: Search
    objectives: tuple[Objective, ...]
    limits: dict[str, float]
    devices: dict[str, Any]
    compress: Compress
    steps: tuple[tuple[str, Step], ...]
    export: tuple[str, ...]
    tree: dict[str, Any]

    def space(self, data: Data) -> SearchSpace:
        """The space for this data's images and classes."""
        return SearchSpace(data.input_shape, len(data.classes), self.stem_width, self.stem_stride, self.stages)


def read_config(file: Path, overrides: Sequence[str] = ()) -> StudyConfig:
    """Read and check a space file with `-o path=value` overrides. Raises ConfigError that shows all problems at once."""
    source = apply_overrides(read_source(file), overrides)
    return _read(Reading(source, list(source.problems)), file.resolve().parent)


def config_of(tree: dict[str, Any], name: str) -> StudyConfig:
    """The config of a recorded study, checked again: what a study needs may not be installed any more."""
    from search.source import Source

    return _read(Reading(Source(f"study {name}", "", tree, {}, {})), Path("/"))


def _read(reading: Reading, folder: Path) -> StudyConfig:
    tree = reading.source.tree
    reading.known((), tree, SECTIONS, "a space file")
    for section in ("study", "task", "space", "objectives"):
        if section not in tree:
            reading.wrong((), f"the section {section!r} is missing", _example(section))
    name = _read_name(reading, tree.get("study", ""))
    task_tree, task = _read_task(reading, tree.get("task"), folder)
    stem_width, stem_stride, stages = read_space(reading, tree.get("space"))
    supernet = reading.instance(("supernet",), tree.get("supernet"), Sharing, "the supernet")
    search = reading.instance(("search",), tree.get("search"), Search, "the search")
    if search:
        reading.registered(("search", "sampler"), search.sampler, SAMPLERS)
    devices = _read_devices(reading, tree.get("devices") or DEFAULT_DEVICES)
    objectives = _read_objectives(reading, tree.get("objectives"), devices)
    limits = _read_limits(reading, tree.get("limits"), devices)
    compress, steps = _read_compress(reading, tree.get("compress"))
    export = _read_export(reading, tree.get("export", ["onnx"]))
    if reading.problems:
        raise reading.source.error(tuple(reading.problems))
    return StudyConfig(
        name, task, stem_width, stem_stride, stages, supernet, search, objectives, limits, devices, compress, steps,
        export, tree={**tree, "task": task_tree},
    )  # fmt: skip


def _example(section: str) -> str:
    return {
        "study": "for example `study: my-study`",
        "task": "for example `task: {kind: digits}`",
        "space": "see studies/digits/space.yaml",
        "objectives": "for example `objectives: {loss: min, latency_ms@here: min}`",
    }[section]


def _read_name(reading: Reading, value: Any) -> str:
    if not value or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", str(value)):
        reading.wrong(("study",), f"`study` must be a name of letters, digits, '.', '_' and '-', got {shown(value)}")
    return str(value)


def _read_task(reading: Reading, value: Any, folder: Path) -> tuple[dict[str, Any], Any]:
    tree = dict(reading.mapping(("task",), value, "the task") or {})
    if "kind" not in tree:
        if value is not None:
            reading.wrong(("task",), "the task needs a `kind`", f"one of {', '.join(TASKS.names())}")
        return tree, None
    make = reading.registered(("task", "kind"), tree["kind"], TASKS)
    for name in ("path", "test_path"):
        if isinstance(tree.get(name), str) and tree[name]:
            tree[name] = str((folder / Path(tree[name]).expanduser()).resolve())
    fields = {name: item for name, item in tree.items() if name != "kind"}
    return tree, reading.instance(("task",), fields, make, f"task {tree['kind']!r}") if make else None


def _read_devices(reading: Reading, value: Any) -> dict[str, Any]:
    devices = {}
    for name, fields in (reading.mapping(("devices",), value, "`devices`") or {}).items():
        path = ("devices", name)
        tree = dict(reading.mapping(path, fields, f"device {name!r}") or {})
        if "kind" not in tree:
            reading.wrong(path, f"device {name!r} needs a `kind`", f"one of {', '.join(DEVICES.names())}")
            continue
        make = reading.registered((*path, "kind"), tree.pop("kind"), DEVICES)
        device = reading.instance(path, tree, make, f"device {name!r}") if make else None
        if device is not None:
            devices[name] = device
    return devices


def _read_objectives(reading: Reading, value: Any, devices: dict[str, Any]) -> tuple[Objective, ...]:
    found = []
    for name, direction in (reading.mapping(("objectives",), value, "`objectives`") or {}).items():
        path: KeyPath = ("objectives", name)
        if direction not in ("min", "max"):
            reading.wrong(path, f"the direction of {name!r} must be min or max, got {shown(direction)}")
        metric = _read_metric(reading, path, name, (*QUALITIES, *COSTS[:3]), devices)
        if metric and direction in ("min", "max"):
            natural = QUALITIES.get(metric[0], "min")
            if direction != natural:
                reading.wrong(path, f"{metric[0]} is better when it is {natural}, got {direction}", f"write {natural}")
            found.append(Objective(metric[0], direction, metric[1]))
    if found and not any(objective.metric in QUALITIES for objective in found):
        reading.wrong(("objectives",), "one objective must be `loss` or `accuracy`", "add `loss: min`", at_key=True)
    return tuple(found)


def _read_limits(reading: Reading, value: Any, devices: dict[str, Any]) -> dict[str, float]:
    limits = {}
    for name, text in (reading.mapping(("limits",), value, "`limits`") or {}).items():
        path: KeyPath = ("limits", name)
        metric = _read_metric(reading, path, "size_bytes" if name == "size" else name, COSTS, devices)
        number = quantity(text)
        if number is None or number <= 0:
            reading.wrong(
                path, f"the limit of {name!r} must be a positive number such as 200k or 0.5, got {shown(text)}"
            )
        elif metric:
            limits["@".join(part for part in metric if part)] = number
    return limits


def _read_metric(
    reading: Reading, path: KeyPath, name: str, plain: Sequence[str], devices: dict[str, Any]
) -> tuple[str, str] | None:
    """("latency_ms", device) or (metric, ""); None if there is no such metric or device."""
    from spaces.registry import nearest

    metric, at, device = str(name).partition("@")
    known = [*plain, *(f"latency_ms@{d}" for d in devices)]
    if name in known:
        return metric, device
    if metric == "latency_ms" and at and device not in devices:
        close = nearest(device, list(devices))
        hint = f"did you mean {close!r}?" if close else f"`devices` has {', '.join(devices) or 'none'}"
        reading.wrong(path, f"unknown device {device!r}", hint, at_key=True)
    else:
        close = nearest(str(name), known)
        hint = f"did you mean {close!r}?" if close else f"known: {', '.join(known)}"
        reading.wrong(path, f"unknown metric {name!r}", hint, at_key=True)
    return None


def _read_compress(reading: Reading, value: Any) -> tuple[Any, tuple[tuple[str, Step], ...]]:
    tree = dict(reading.mapping(("compress",), value, "`compress`") or {})
    listed = tree.pop("steps", [])
    if "steps" not in Compress.__dataclass_fields__ and not isinstance(listed, list):
        reading.wrong(("compress", "steps"), f"`steps` must be a list, got {shown(listed)}")
        listed = []
    steps = []
    for index, entry in enumerate(listed):
        path: KeyPath = ("compress", "steps", index)
        if isinstance(entry, str):
            entry = {entry: {}}
        if not isinstance(entry, dict) or len(entry) != 1:
            reading.wrong(
                path, f"a step is one name with its fields, got {shown(entry)}", "for example {prune: {ratio: 0.25}}"
            )
            continue
        ((name, fields),) = entry.items()
        make = reading.registered((*path, name), name, STEPS, at_key=True)
        step = reading.instance((*path, name), fields, make, f"step {name!r}") if make else None
        if step is not None:
            steps.append((name, step))
    known = {name: item for name, item in tree.items() if name != "steps"}
    return reading.instance(("compress",), known, Compress, "`compress`"), tuple(steps)


def _read_export(reading: Reading, value: Any) -> tuple[str, ...]:
    names = reading.options(("export",), value, str, "`export`")
    for index, name in enumerate(names):
        path: KeyPath = ("export", index) if isinstance(value, list) else ("export",)
        reading.registered(path, name, EXPORTERS)
    return names
