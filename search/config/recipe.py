"""recipe.yaml: what `search compress` is asked to do with a model of the user's, read like a space file."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from compress.devices import DEVICES
from compress.given import absolute, short_name
from compress.recipe import STEPS, Step, acts_on_file
from search.config.devices import SAVED, check_engine, read_devices
from search.config.fields import Reading, shown, suggestion
from search.config.saved import saved_names
from search.config.source import Source, read_source
from search.config.study import Compress, read_compress, read_limits, read_name, read_task
from search.config.tune import Tuning, read_tune
from search.config.yaml import scalar
from search.errors import UsageError
from spaces.tasks import Data, Task
from spaces.tasks.data import DataError

KEYS = (
    "study", "model", "variant", "choose", "task", "input", "teacher", "limits", "devices", "max_drop", "judge",
    "steps", "tune", "seed",
)  # fmt: skip
KEPT_OUT = ("objectives", "model_sha256")  # what the ledger keeps beside the file's own keys
NOT_HERE = ("keep", "extra", "short", "teacher_epochs", "alone_epochs")  # fields of `compress:` that are about a search
Normalisation = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class RecipeConfig:
    """A checked recipe. normalisation: (mean, std) that the model was trained with, in raw pixels; None: the training
    part's. choose: which network of a model space of NNI. teacher: a model to distill from; "": the model itself, or
    none where the recipe trains it. device: the name of the one that judges. variant: STUDY or STUDY:ID, in place of a
    model. tune: what `search tune` searches, in place of steps."""

    study: str
    model: str
    choose: dict[str, Any]
    task: Task
    normalisation: Normalisation | None
    teacher: str
    limits: dict[str, float]
    devices: dict[str, Any]
    device: str
    compress: Compress
    steps: tuple[tuple[str, Step], ...]
    seed: int
    tree: dict[str, Any]
    variant: str = ""
    tune: Tuning | None = None

    @property
    def source(self) -> str:
        """What is compressed, for people."""
        return self.variant or short_name(self.model)

    def load_data(self) -> Data:
        """The task's data with the model's normalisation. Raises: DataError."""
        data = self.task.load()
        if self.normalisation is None:
            return data
        channels = data.input_shape[0]
        mean, std = (tuple(numbers) * (channels if len(numbers) == 1 else 1) for numbers in self.normalisation)
        if not len(mean) == len(std) == channels:
            found = f"{len(mean)} means and {len(std)} stds"
            raise DataError(f"`input` gives {found}, the data has {channels} channels. Give one number a channel.")
        return replace(data, mean=mean, std=std)


def read_recipe(
    file: Path,
    model: str = "",
    data: Path | None = None,
    device: str = "",
    choose: Sequence[str] = (),
    variant: str = "",
) -> RecipeConfig:
    """Read and check a recipe. Options replace what the file says: model or variant, a file with the task, a device,
    and choices `name=value` of a model space.

    Raises: ConfigError with all that is wrong; UsageError if neither names a model or the device is unknown.
    """
    source = read_source(file)
    if "space" in source.tree:
        raise UsageError(
            f"{file} is a space file and no recipe. To run its study:  search launch {shlex.quote(str(file))}"
        )
    here, folder = Path.cwd(), file.resolve().parent
    tree = dict(source.tree)
    if model and variant:
        raise UsageError("name a model or a variant, not both.")
    if model or variant:
        tree.pop("variant" if model else "model", None)
    if variant:
        tree["variant"] = variant
    if model:
        tree["model"] = absolute(model, here)
    elif isinstance(tree.get("model"), str):
        tree["model"] = absolute(tree["model"], folder)
    if isinstance(tree.get("teacher"), str) and tree["teacher"]:
        tree["teacher"] = absolute(tree["teacher"], folder)
    task_reading = None
    if data is not None:
        given = read_source(data)
        task_reading = Reading(given, list(given.problems))
        at = ("task",) if "task" in given.tree else ()
        tree["task"], _ = read_task(task_reading, given.tree.get("task", given.tree), data.resolve().parent, at)
        if task_reading.problems:
            raise given.error(tuple(task_reading.problems))
    if choose:
        tree["choose"] = {**(tree.get("choose") or {}), **_choices(choose)}
    if device:
        tree["devices"] = _judging(tree.get("devices"), device)
    if "model" not in tree and "variant" not in tree:
        raise UsageError(
            "name a model: --model my.onnx, module:attribute or file.py:attribute; or --variant STUDY of the database."
        )
    tree.setdefault("study", _default_name(str(tree.get("variant") or tree["model"]), file))
    return _read(Reading(replace(source, tree=tree), list(source.problems)), folder)


def recipe_of(tree: Mapping[str, Any], name: str) -> RecipeConfig:
    """The recipe of a recorded study, checked again."""
    return _read(Reading(Source(f"study {name}", "", file_tree(tree), {}, {})), Path("/"))


def file_tree(tree: Mapping[str, Any]) -> dict[str, Any]:
    """What the recipe's file says, of a recorded config. That is sorted: which of its devices judges, its objectives
    say."""
    own = {key: value for key, value in tree.items() if key not in KEPT_OUT}
    judge = next((metric.partition("@")[2] for metric in tree.get("objectives") or () if "@" in metric), "")
    if judge in (own.get("devices") or {}):
        own["devices"] = _judging(own["devices"], judge)
    return own


def is_recipe(tree: Mapping[str, Any]) -> bool:
    """Whether a recorded config is of `search compress` or `search tune` and not of `search launch`."""
    return "model" in tree or "variant" in tree


def _read(reading: Reading, folder: Path) -> RecipeConfig:
    tree = reading.source.tree
    reading.known((), tree, KEYS, "a recipe")
    examples = {"task": "task: {kind: digits}"} | ({} if "tune" in tree else {"steps": "steps: [quantize]"})
    for key, example in examples.items():
        reading.needed((), tree, key, KEYS, f"the key {key!r} is missing", f"for example `{example}`")
    for key, other in (("variant", "model"), ("tune", "steps"), ("tune", "judge")):
        if key in tree and other in tree:
            reading.wrong((key,), f"a recipe has `{other}` or `{key}`, not both", f"leave `{other}` away", at_key=True)
    name = read_name(reading, tree["study"])
    for key in ("model", "variant", "teacher"):
        if key in tree:
            reading.scalar((key,), tree[key], str, f"`{key}`")
    task: Any
    task_tree, task = read_task(reading, tree["task"], folder) if "task" in tree else ({}, None)
    choose = reading.mapping(("choose",), tree.get("choose"), "`choose`") or {}
    normalisation = _read_input(reading, tree.get("input"))
    named, devices, written_out = read_devices(reading, tree.get("devices"))
    limits = read_limits(reading, tree.get("limits"), named)
    part = {key: tree[key] for key in ("max_drop", "judge", "steps") if key in tree}
    compress, steps = read_compress(reading, part, (named[0], devices.get(named[0])), (), NOT_HERE)
    tune = read_tune(reading, tree["tune"]) if "tune" in tree else None
    for step in tune.space.choices if tune else ():
        check_engine(reading, ("tune", "steps"), step, STEPS.get(step), named[0], devices.get(named[0]))
    _check_steps(reading, tree, steps)
    seed = reading.scalar(("seed",), tree.get("seed", 0), int, "`seed`")
    if seed is not None and seed < 0:
        reading.wrong(("seed",), f"`seed` must not be negative, got {seed}")
    if reading.problems or seed is None:
        raise reading.source.error(tuple(reading.problems))
    if tree.get("devices"):
        tree = {**tree, "devices": written_out}
    return RecipeConfig(
        name, tree.get("model", ""), dict(choose), task, normalisation, tree.get("teacher", ""), limits, devices,
        named[0], compress, steps, seed, {**tree, "task": task_tree}, tree.get("variant", ""), tune,
    )  # fmt: skip


def _check_steps(reading: Reading, tree: Mapping[str, Any], steps: tuple[tuple[str, Step], ...]) -> None:
    """Of an ONNX file only what acts on files."""
    if not str(tree.get("model", "")).endswith(".onnx"):
        return
    if "tune" in tree:
        reading.wrong(("tune",), "recipes are searched for PyTorch networks, and the model is an ONNX file",
                      "give module:attribute, or `steps: [quantize]` and search compress", at_key=True)  # fmt: skip
    if not isinstance(tree.get("steps"), list):
        return
    if len(steps) != len(tree["steps"]):
        return  # what is wrong with them is noted already
    for index, (name, step) in enumerate(steps):
        if not acts_on_file(step):
            path = ("steps", index, name) if isinstance(tree["steps"][index], dict) else ("steps", index)
            reading.wrong(
                path, f"{name} needs a PyTorch network, and the model is an ONNX file", "give module:attribute",
                at_key=len(path) == 3,
            )  # fmt: skip


def _read_input(reading: Reading, value: Any) -> Normalisation | None:
    """(mean, std) of `input: {mean: [..], std: [..]}`, one number a channel or one for all."""
    tree = reading.mapping(("input",), value, "`input`")
    if not tree:
        return None
    before = len(reading.problems)
    reading.known(("input",), tree, ("mean", "std"), "`input`")
    found = []
    for name, usual in (("mean", 0.0), ("std", 1.0)):
        path = ("input", name)
        listed = tree.get(name, usual)
        items = listed if isinstance(listed, list) else [listed]
        numbers = [reading.scalar(path, item, float, f"`{name}`") for item in items]
        if not numbers:
            reading.wrong(path, f"`{name}` needs a number for each channel, got {shown(listed)}")
        if name == "std" and any(number is not None and number <= 0 for number in numbers):
            reading.wrong(path, f"`std` must be positive, got {numbers}", "write 1 to divide by nothing")
        found.append(tuple(numbers))
    return (found[0], found[1]) if len(reading.problems) == before else None


def _choices(pairs: Sequence[str]) -> dict[str, Any]:
    """`channels=16` as a label and a YAML value. Raises: UsageError."""
    found = {}
    for pair in pairs:
        label, sign, text = pair.partition("=")
        if not sign or not label or not text:
            raise UsageError(f"--choose takes NAME=VALUE, got {pair!r}. For example --choose channels=16.")
        found[label] = scalar(text)
    return found


def _judging(devices: Any, device: str) -> dict[str, Any]:
    """The devices with the one that judges first: the file's of that name, a saved one, or a kind with its defaults.

    Raises: UsageError, ConfigError.
    """
    named = dict(devices) if isinstance(devices, dict) and devices else {}
    if device in named:
        return {device: named[device], **named}
    if device in DEVICES.names():
        return {device: {"kind": device}, **named}
    saved = saved_names()
    if device in saved:
        return {device: SAVED, **named}
    raise UsageError(f"no device {device!r}; {suggestion(device, [*named, *saved, *DEVICES.names()])}")


def _default_name(model: str, file: Path) -> str:
    """Model and recipe: resnet8-trained-int8."""
    stem = short_name(model).removesuffix(".onnx").replace(".py:", "-").replace(":", "-")
    return re.sub(r"[^A-Za-z0-9._-]+", "-", f"{stem}-{file.stem}").lstrip("._-")[:64]
