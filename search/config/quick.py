"""`search launch --quick`: a first look in about four minutes, by overrides that anyone could have written."""

import json
import pathlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from statistics import mean
from typing import Any

from search.config.overrides import path_of
from search.config.problems import Path, dotted
from search.config.study import StudyConfig, read_config
from spaces.counts import count
from spaces.space import sample
from spaces.tasks import Table

SUFFIX = "-quick"
LONGEST_NAME = 64
MINUTES = 1  # of the supernet
CALIBRATION_PATH, EXPORTS_PATH = ("search", "calibration"), ("search", "exports")
LEAST_CALIBRATION = 4  # of a study
TRIALS, CALIBRATION, EXPORTS, IMAGES = 16, 8, 14, 300
MOST, LEAST, A_CLASS = 4000, 500, 10  # examples: of all, of all, of each class
WORK = 4e11  # multiply-accumulates of all trainings of single networks: a minute or two of a core
SMALL = 5e6  # below so many the time of a network is not that of its multiply-accumulates
ROUNDS = 6  # of the supernet's epochs: two networks and the hand-made one, as long again in the steps


@dataclass(frozen=True)
class Amount:
    """How much there is to do. examples: to train and to validate, `2 * MOST` standing for more; macs: of a random
    network, on the mean."""

    examples: int
    classes: int
    macs: float


def amount_of(config: StudyConfig) -> Amount:
    """From a look at the data, not all of it where the task has a `limit`. Raises: DataError. Cost: reading it."""
    task: Any = config.task
    if "limit" in {field.name for field in fields(task)}:
        task = replace(task, limit=min(2 * MOST, task.limit or 2 * MOST))
    data = task.load()
    space, rng = config.space(data), random.Random(0)
    macs = 0.0 if data.scores else mean(count(sample(space, rng)).macs for _ in range(20))
    return Amount(len(data.train.y) + len(data.validation.y), len(data.classes), macs)


def quick_overrides(config: StudyConfig, amount: Amount, taken: Sequence[Path] = ()) -> list[str]:
    """`path=value` for all that is turned down; nothing is turned up. taken: paths that the user gave a value."""
    name = f"{config.study[: LONGEST_NAME - len(SUFFIX)]}{SUFFIX}"
    calibration = config.search.calibration if CALIBRATION_PATH in taken else CALIBRATION
    wanted = {("study",): name} | dict(_turned_down(config, amount, calibration))
    free = {path: value for path, value in wanted.items() if not any(_meet(path, other) for other in taken)}
    return [f"{dotted(path)}={value}" for path, value in free.items()]


def calibration_below(space: pathlib.Path, given: Sequence[str]) -> list[str]:
    """The override of `search.calibration` that lets the user's own `search.exports` be, or none.

    It is needed before there is a config: one with fewer exports than calibration is none. Raises: ConfigError.
    """
    paths = [path_of(each) for each in given]
    asked = [each for each, path in zip(given, paths, strict=True) if path == EXPORTS_PATH]
    written = asked[-1].partition("=")[2].strip() if asked else ""
    if not written.isdecimal() or any(_meet(path, CALIBRATION_PATH) for path in paths):
        return []
    others = [each for each, path in zip(given, paths, strict=True) if path != EXPORTS_PATH]
    now, most = read_config(space, others).search.calibration, min(CALIBRATION, int(written))
    return [f"{dotted(path)}={value}" for path, value in _less(CALIBRATION_PATH, now, max(most, LEAST_CALIBRATION))]


def _meet(path: Path, other: Path) -> bool:
    """Whether one of them is the other, or lies in it."""
    return all(str(a) == str(b) for a, b in zip(path, other, strict=False))


def _turned_down(config: StudyConfig, amount: Amount, calibration: int) -> Iterator[tuple[Path, object]]:
    search, compress = config.search, config.compress
    yield from _less(("search", "trials"), search.trials, TRIALS)
    if isinstance(config.task, Table):
        return
    examples, epochs = _amounts(amount)
    epochs = min(epochs, config.supernet.epochs)
    if amount.examples > examples and hasattr(config.task, "limit"):
        yield from _less(("task", "limit"), config.task.limit, examples, free=0)  # type: ignore[attr-defined]
    yield from _less(("supernet", "epochs"), config.supernet.epochs, epochs)
    yield from _less(("supernet", "minutes"), config.supernet.minutes, MINUTES, free=0)
    yield from _less(CALIBRATION_PATH, search.calibration, calibration)
    yield from _less(EXPORTS_PATH, search.exports, max(EXPORTS, calibration))
    yield from _less(("search", "images"), search.images, IMAGES, free=0)
    yield from _less(("compress", "keep"), compress.keep, 1)
    yield from _less(("compress", "extra"), compress.extra, 0)
    yield from _less(("compress", "teacher_epochs"), compress.teacher_epochs, max(1, epochs // 2))
    if compress.alone_epochs is not None:
        yield from _less(("compress", "alone_epochs"), compress.alone_epochs, epochs)
    yield from _steps(config, max(1, epochs // 2))


def _amounts(amount: Amount) -> tuple[int, int]:
    """(examples to use, epochs of the supernet), so that all trainings together are about WORK: few epochs of many
    examples rather than many of few, but two."""
    passes = WORK / max(SMALL, amount.macs) / ROUNDS
    examples = min(MOST, max(LEAST, A_CLASS * amount.classes, int(passes / 2)))
    return examples, max(2, int(passes / min(examples, amount.examples)))


def _less(path: Path, now: float, most: float, free: int | None = None) -> Iterator[tuple[Path, object]]:
    """free: the value that stands for no bound."""
    if now > most or now == free:
        yield path, most


def _steps(config: StudyConfig, epochs: int) -> Iterator[tuple[Path, object]]:
    """The epochs of each step. A step of a name alone has no field to replace: it is written out.

    A prune to a latency measures some hundreds of files first, 0.1 to 0.3 s each: it is written out without, and
    prunes by its ratio.
    """
    listed = config.tree["compress"]["steps"] if config.steps else []
    for index, (name, step) in enumerate(config.steps):
        at: Path = ("compress", "steps", index)
        most = max(epochs, getattr(step, "least_epochs", 1))
        less = {"epochs": most} if getattr(step, "epochs", 0) > most else {}
        given = (listed[index][name] or {}) if isinstance(listed[index], dict) else {}
        if getattr(step, "latency", None) is not None:
            yield at, _written(name, {k: v for k, v in given.items() if k != "latency"} | less)
        elif less:
            yield ((*at, name, "epochs"), most) if given else (at, _written(name, less))


def _written(name: str, fields: Mapping[str, object]) -> str:
    """A step in YAML."""
    return f"{{{name}: {{{', '.join(f'{key}: {json.dumps(value)}' for key, value in fields.items())}}}}}"
