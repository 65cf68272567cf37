"""What a study is asked to do: space.yaml as frozen dataclasses, checked before anything runs."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compress.export import EXPORTERS
from compress.recipe import STEPS, Step
from search.config.devices import NAME, NAME_RULE, SAVED, check_engine, read_devices
from search.config.fields import Reading, limit, shown, suggestion
from search.config.overrides import apply_overrides
from search.config.problems import Path as KeyPath
from search.config.saved import saved_names
from search.config.source import read_source
from search.config.space import check_series, read_space
from search.config.supernet import read_supernet
from search.config.table import check_columns, check_table
from search.errors import UsageError
from search.latency.precision import FLOAT, PRECISIONS, check_screen
from search.objectives import Objective
from search.samplers import SAMPLERS
from search.supernet.training import Sharing
from spaces.space import SearchSpace, StageSpace
from spaces.tasks import TASKS, Data, Table, Task

SECTIONS = ("study", "task", "space", "supernet", "search", "objectives", "limits", "devices", "compress", "export")
MOST_TRIALS = 1_000_000  # weeks of any machine: what is more is a slip
LARGEST_SEED = 2**32 - 1  # what numpy and torch both take
COSTS = ("params", "macs", "peak_bytes", "size_bytes")
QUALITIES = {"loss": "min", "accuracy": "max"}
NEEDED = {
    "study": "study: my-study",
    "task": "task: {kind: digits}",
    "space": "space: {stages: [{depth: [1, 2], width: [16, 24], blocks: [mbconv]}]}",
    "objectives": "objectives: {loss: min, latency_ms@here: min}",
}


@dataclass(frozen=True)
class Search:
    """How to look. trials: architectures to screen. calibration: how many of them, spread over the space, are measured
    to teach the latency predictor. exports: at most so many files are exported and measured while searching. images: so
    many validation examples judge each trial, 0: all; whoever is trained on is judged by all. screen: the precision in
    which trials are measured, predicted and limited: `float`, or `int8` for who ships that."""

    sampler: str = "surrogate"
    trials: int = 100
    seed: int = 0
    calibration: int = 20
    exports: int = 40
    images: int = 0
    screen: str = FLOAT

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"`seed` must not be negative, got {self.seed}.")
        if self.seed > LARGEST_SEED:
            raise ValueError(f"`seed` must be at most {LARGEST_SEED:,}, got {self.seed:,}.")
        if self.trials < 1:
            raise ValueError(f"`trials` must be at least 1, got {self.trials}.")
        if self.trials > MOST_TRIALS:
            raise ValueError(f"`trials` must be at most {MOST_TRIALS:,}, got {self.trials:,}. Usual are 50 to 500.")
        if self.calibration < 4:
            raise ValueError(f"`calibration` must be at least 4, got {self.calibration}.")
        if self.exports < self.calibration:
            raise ValueError(f"`exports` must be at least `calibration` ({self.calibration}), got {self.exports}.")
        if self.images < 0:
            raise ValueError(f"`images` must not be negative, got {self.images}. 0 means all of the validation part.")
        if self.screen not in PRECISIONS:
            raise ValueError(f"`screen` must be {' or '.join(PRECISIONS)}, got {self.screen!r}.")


@dataclass(frozen=True)
class Compress:
    """What happens to the winners. keep: how many networks of the front. extra: so many more are trained for a share
    `short` of the first step's epochs, and those that may still change the front go on, within the epochs that `keep`
    networks would take; 0: no such race. max_drop: points of accuracy that the compression of a network may cost.
    teacher_epochs: how long a largest network is trained on before it may teach. alone_epochs: epochs of its own that a
    network of the search has beside those of `steps`; None: as many as the supernet, which is what the hand-made one
    has. judge: `each` step is kept or undone, or the recipe at its `end`."""

    keep: int = 3
    extra: int = 0
    short: float = 0.33
    max_drop: float = 1.0
    teacher_epochs: int = 8
    alone_epochs: int | None = None
    judge: str = "each"

    def __post_init__(self) -> None:
        if self.judge not in ("each", "end"):
            raise ValueError(f"`judge` must be each or end, got {self.judge!r}.")
        if self.keep < 1:
            raise ValueError(f"`keep` must be at least 1, got {self.keep}.")
        if self.extra < 0:
            raise ValueError(f"`extra` must not be negative, got {self.extra}. 0 means none.")
        if not 0 < self.short < 1:
            raise ValueError(f"`short` must be between 0 and 1, got {self.short}. Write 0.33 for a third.")
        if self.max_drop < 0:
            raise ValueError(f"`max_drop` must not be negative, got {self.max_drop}.")
        if self.teacher_epochs < 0:
            raise ValueError(f"`teacher_epochs` must not be negative, got {self.teacher_epochs}. 0 means none.")
        if self.alone_epochs is not None and self.alone_epochs < 0:
            raise ValueError(f"`alone_epochs` must not be negative, got {self.alone_epochs}. 0 means none.")


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
        """The space for this data's examples and classes.

        Raises: ConfigError: if a block has no form for series, or the data is a table of other decisions.
        """
        space = SearchSpace(data.input_shape, len(data.classes), self.stem_width, self.stem_stride, self.stages)
        if space.dims == 1:
            check_series(space)
        if data.scores is not None:
            check_columns(data.scores, space)
        return space


def read_config(file: Path, overrides: Sequence[str] = ()) -> StudyConfig:
    """Read and check a space file with `-o path=value` overrides. Raises ConfigError with all that is wrong."""
    source = read_source(file)
    if not {"space", "objectives"} & set(source.tree) and ("steps" in source.tree or "tune" in source.tree):
        command = "tune" if "tune" in source.tree else "compress"
        raise UsageError(
            f"{file} is a recipe and no space file. To run it:  search {command} --recipe {shlex.quote(str(file))}"
        )
    source = apply_overrides(source, overrides)
    return _read(Reading(source, list(source.problems)), file.resolve().parent)


def config_of(tree: dict[str, Any], name: str) -> StudyConfig:
    """The config of a recorded study, checked again: what a study needs may not be installed any more."""
    from search.config.source import Source

    return _read(Reading(Source(f"study {name}", "", tree, {}, {})), Path("/"))


def _read(reading: Reading, folder: Path) -> StudyConfig:
    tree = reading.source.tree
    reading.known((), tree, SECTIONS, "a space file")
    for section, example in NEEDED.items():
        reading.needed((), tree, section, SECTIONS, f"the section {section!r} is missing", f"for example `{example}`")
    name = read_name(reading, tree["study"]) if "study" in tree else ""
    task: Any
    task_tree, task = read_task(reading, tree["task"], folder) if "task" in tree else ({}, None)
    stem_width, stem_stride, stages = read_space(reading, tree["space"]) if "space" in tree else ((), 1, ())
    supernet = read_supernet(reading, tree.get("supernet"))
    search = _read_search(reading, tree.get("search"))
    listed, found, written_out = read_devices(reading, tree.get("devices"))
    named, devices = sorted(listed), dict(sorted(found.items()))  # a stored config is sorted too: the first may judge
    objectives = _read_objectives(reading, tree["objectives"], named) if "objectives" in tree else ()
    limits = read_limits(reading, tree.get("limits"), named)
    on_devices = [*(o.device for o in objectives), *(name.partition("@")[2] for name in limits)]
    judge = next(filter(None, on_devices), named[0])
    compress, steps = read_compress(reading, tree.get("compress"), (judge, devices.get(judge)))
    export = _read_export(reading, tree.get("export", ["onnx"]))
    if isinstance(task, Table):
        check_table(reading, tree)
    if search and not reading.problems:
        at = {judge, *filter(None, on_devices)}
        check_screen(reading, search.screen, steps, {n: devices.get(n) for n in sorted(at)}, isinstance(task, Table))
    if reading.problems:
        raise reading.source.error(tuple(reading.problems))
    if tree.get("devices"):
        tree = {**tree, "devices": written_out}
    return StudyConfig(
        name, task, stem_width, stem_stride, stages, supernet, search, objectives, limits, devices, compress, steps,
        export, tree={**tree, "task": task_tree},
    )  # fmt: skip


def _read_search(reading: Reading, value: Any) -> Any:
    """The section as `Search`, or None; a sampler that there is not is said beside all else that is wrong."""
    name = value.get("sampler") if isinstance(value, dict) else None
    is_known = not isinstance(name, str) or reading.registered(("search", "sampler"), name, SAMPLERS) is not None
    search = reading.instance(("search",), value, Search, "the search")
    return search if is_known else None


def read_name(reading: Reading, value: Any) -> str:
    """A study's name."""
    if isinstance(value, bool) or not isinstance(value, str | int) or not re.fullmatch(NAME, str(value)):
        reading.wrong(("study",), f"`study` {NAME_RULE}, got {shown(value)}")
    return str(value)


def read_task(reading: Reading, value: Any, folder: Path, at: KeyPath = ("task",)) -> tuple[dict[str, Any], Any]:
    """(its mapping with absolute paths, the task), or ({}, None) if something is wrong."""
    read = reading.mapping(at, value, "the task")
    if read is None or "kind" not in read:
        if read is not None:
            reading.wrong(at, "the task needs a `kind`", f"one of {', '.join(TASKS.names())}")
        return {}, None
    tree = dict(read)
    make = reading.registered((*at, "kind"), tree["kind"], TASKS)
    for name in ("path", "test_path"):
        if isinstance(tree.get(name), str) and tree[name]:
            tree[name] = str((folder / Path(tree[name]).expanduser()).resolve())
    fields = {name: item for name, item in tree.items() if name != "kind"}
    return tree, reading.instance(at, fields, make, f"task {tree['kind']!r}") if make else None


def _read_objectives(reading: Reading, value: Any, devices: Sequence[str]) -> tuple[Objective, ...]:
    found, before = [], len(reading.problems)
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
    if len(reading.problems) == before and not any(objective.metric in QUALITIES for objective in found):
        reading.wrong(("objectives",), "one objective must be `loss` or `accuracy`", "add `loss: min`", at_key=True)
    return tuple(sorted(found, key=lambda o: (o.metric not in QUALITIES, o.name)))  # a stored config is sorted too


def read_limits(reading: Reading, value: Any, devices: Sequence[str]) -> dict[str, float]:
    """Positive numbers by metric; what is wrong is left out."""
    limits: dict[str, float] = {}
    for name, text in (reading.mapping(("limits",), value, "`limits`") or {}).items():
        path: KeyPath = ("limits", name)
        metric = _read_metric(reading, path, "size_bytes" if name == "size" else name, COSTS, devices)
        number = limit(str(name), text)
        if number is None or number <= 0:
            such = "0.5, 2ms or 300us" if str(name).startswith("latency_ms@") else "200k or 1.5M"
            reading.wrong(path, f"the limit of {name!r} must be a positive number such as {such}, got {shown(text)}")
        elif metric and "@".join(filter(None, metric)) in limits:
            reading.wrong(path, f"{name!r} is limited twice: `size` is `size_bytes`", "keep one of them", at_key=True)
        elif metric:
            limits["@".join(filter(None, metric))] = number
    return dict(sorted(limits.items()))  # as a stored config is


def _read_metric(
    reading: Reading, path: KeyPath, name: str, plain: Sequence[str], devices: Sequence[str]
) -> tuple[str, str] | None:
    """("latency_ms", device) or (metric, ""); None if there is no such metric or device."""
    metric, at, device = str(name).partition("@")
    known = [*plain, *(f"latency_ms@{d}" for d in devices)]
    if name in known:
        return metric, device
    if metric == "latency_ms" and at and device not in devices:
        saved = device in saved_names()
        hint = f"it is saved: add it to `devices:`, {device}: {SAVED}" if saved else suggestion(device, devices)
        reading.wrong(path, f"unknown device {device!r}", hint, at_key=True)
    else:
        reading.wrong(path, f"unknown metric {name!r}", suggestion(name, known), at_key=True)
    return None


def read_compress(
    reading: Reading, value: Any, device: tuple[str, Any], at: KeyPath = ("compress",), fixed: Sequence[str] = ()
) -> tuple[Any, tuple[tuple[str, Step], ...]]:
    """The budget and the steps. device: name and device that judge. fixed: fields of Compress without meaning here."""
    tree = dict(reading.mapping(at, value, "`compress`") or {})
    listed = tree.pop("steps", [])
    if not isinstance(listed, list):
        reading.wrong((*at, "steps"), f"`steps` must be a list, got {shown(listed)}")
        listed = []
    steps = []
    for index, entry in enumerate(listed):
        path: KeyPath = (*at, "steps", index)
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
            check_engine(reading, (*path, name) if isinstance(listed[index], dict) else path, name, step, *device)
            steps.append((name, step))
    return reading.instance(at, tree, Compress, "`compress`", fixed), tuple(steps)


def _read_export(reading: Reading, value: Any) -> tuple[str, ...]:
    names = reading.options(("export",), value, str, "`export`")
    for index, name in enumerate(names):
        path: KeyPath = ("export", index) if isinstance(value, list) else ("export",)
        reading.registered(path, name, EXPORTERS)
    return names
