"""The `tune` section of a recipe file: which steps may appear, with which settings, in which orders, for how long."""

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from compress.recipe import STEPS, Step, is_quantizing
from search.config.fields import Reading, field_kinds, shown, suggestion
from search.config.problems import Path as KeyPath
from search.tuning.samplers import TUNERS
from search.tuning.space import RecipeSpace, legal_orders

MOST_CHOICES = 10_000  # settings of one step
OWN = ("steps", "orders")
AIMS = ("fastest", "front")


@dataclass(frozen=True)
class Tune:
    """How long to look and how. evaluations: variants to make, each exported, evaluated and measured; 0 means no bound,
    and so does 0 for `minutes`. cheap_epochs: the part of the epochs that a first look at a recipe takes (at least one
    epoch), on the part `cheap_images` of the training images; 1 and 1 mean no such look. warm: recipes that were best
    for other models of the database are tried first, at most so many. aim: `fastest` within the points that may be
    lost, or the whole `front` of accuracy, latency and size; what is shipped follows the same rule either way."""

    evaluations: int = 40
    minutes: float = 0.0
    sampler: str = "surrogate"
    cheap_epochs: float = 0.25
    cheap_images: float = 0.25
    warm: int = 3
    aim: str = "fastest"

    def __post_init__(self) -> None:
        for name in ("evaluations", "minutes", "warm"):
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` must not be negative, got {getattr(self, name)}.")
        if self.aim not in AIMS:
            raise ValueError(f"`aim` must be {' or '.join(AIMS)}, got {self.aim!r}.")
        if not self.evaluations and not self.minutes:
            raise ValueError("`evaluations` and `minutes` are both 0, so nothing would end the search. Write one.")
        for name in ("cheap_epochs", "cheap_images"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"`{name}` must be in (0, 1], got {getattr(self, name)}. Write 1 for no first look.")

    @property
    def looks_first(self) -> bool:
        """A recipe that trains is first looked at in short."""
        return self.cheap_epochs < 1 or self.cheap_images < 1


@dataclass(frozen=True)
class Tuning:
    """The section, checked: how to look, and among which recipes."""

    settings: Tune
    space: RecipeSpace


def read_tune(reading: Reading, value: Any) -> Tuning | None:
    """The section, or None if something is wrong, which is then among the problems."""
    read = reading.mapping(("tune",), value, "`tune`")
    if read is None:
        return None
    before, names = len(reading.problems), [field.name for field in fields(Tune)]
    reading.known(("tune",), read, [*names, *OWN], "`tune`")
    settings = reading.instance(("tune",), {k: v for k, v in read.items() if k in names}, Tune, "`tune`")
    if settings is not None:
        reading.registered(("tune", "sampler"), settings.sampler, TUNERS)
    reading.needed(
        ("tune",), read, "steps", [*names, *OWN], "`tune` needs `steps`: which may appear",
        "for example steps: [{prune: {ratio: [0.25, 0.5]}}, quantize]",
    )  # fmt: skip
    choices = _read_steps(reading, read["steps"]) if "steps" in read else {}
    kinds = {name: STEPS.get(name) for name in choices}
    orders = _read_orders(reading, read["orders"], kinds) if "orders" in read else legal_orders(kinds)
    if len(reading.problems) > before or settings is None or not choices:
        return None
    return Tuning(settings, RecipeSpace(choices, orders))


def _read_steps(reading: Reading, listed: Any) -> dict[str, tuple[Step, ...]]:
    """Every setting of every step. A step that is listed twice may have either's settings."""
    if not isinstance(listed, list) or not listed:
        reading.wrong(
            ("tune", "steps"), f"`steps` must be a list of steps, got {_found(listed)}", "see docs/reference.md"
        )
        return {}
    found: dict[str, list[Step]] = {}
    for index, entry in enumerate(listed):
        path: KeyPath = ("tune", "steps", index)
        named = {entry: {}} if isinstance(entry, str) else entry
        if not isinstance(named, dict) or len(named) != 1:
            reading.wrong(
                path,
                f"a step is one name with its fields, got {shown(entry)}",
                "for example {prune: {ratio: [0.25, 0.5]}}",
            )
            continue
        ((name, given),) = named.items()
        make = reading.registered(path if isinstance(entry, str) else (*path, name), name, STEPS, at_key=True)
        known = found.setdefault(name, []) if make else []
        known += [step for step in _read_choices(reading, (*path, name), given, name, make) if step not in known]
    return {name: tuple(steps) for name, steps in found.items()}


def _read_choices(reading: Reading, path: KeyPath, value: Any, name: str, make: Any) -> list[Step]:
    """One step a combination of the fields' values."""
    tree = reading.mapping(path, value, f"step {name!r}")
    if tree is None or make is None:
        return []
    before, kinds = len(reading.problems), field_kinds(make)
    reading.known(path, tree, list(kinds), f"step {name!r}")
    options = {
        field: reading.options((*path, field), listed, kinds[field], f"`{field}`")
        for field, listed in tree.items()
        if field in kinds
    }
    if len(reading.problems) > before:
        return []
    count = 1
    for values in options.values():
        count *= len(values)
    if count > MOST_CHOICES:
        reading.wrong(path, f"step {name!r} has {count:,} combinations, at most {MOST_CHOICES:,} can be searched")
        return []
    made, wrong = [], set[tuple[str, int]]()
    for values in itertools.product(*options.values()):
        try:
            made.append(make(**dict(zip(options, values, strict=True))))
        except ValueError as error:
            named = re.match(r"`(\w+)`", str(error))
            field = named.group(1) if named and named.group(1) in options else ""
            at = options[field].index(dict(zip(options, values, strict=True))[field]) if field else 0
            if (field, at) not in wrong:  # once, where it stands, and not for every combination
                where = (*path, field, at) if isinstance(tree.get(field), list) else (*path, field) if field else path
                reading.wrong(where, str(error).rstrip("."))
            wrong.add((field, at))
    return made


def _read_orders(reading: Reading, listed: Any, kinds: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """Lists of names of `steps`; what quantizes comes last."""
    if not isinstance(listed, list) or not listed or not all(isinstance(order, list) for order in listed):
        hint = "for example [[prune, quantize], [distill, prune, quantize]]"
        reading.wrong(("tune", "orders"), f"`orders` must be a list of lists of steps, got {_found(listed)}", hint)
        return ()
    found = []
    for index, order in enumerate(listed):
        path: KeyPath = ("tune", "orders", index)
        for at, name in enumerate(order):
            if name not in kinds:
                known = list(kinds)
                reading.wrong((*path, at), f"{name!r} is not among `steps`", suggestion(str(name), known))
            elif name in order[:at]:
                reading.wrong((*path, at), f"an order has {name!r} twice", "write each step once")
            elif is_quantizing(kinds[name]) and at < len(order) - 1:
                reading.wrong((*path, at), f"{name!r} makes int8, nothing can follow it", "write it last")
        if not order:
            reading.wrong(path, "an order is empty", "name at least one step")
        found.append(tuple(map(str, order)))
    return tuple(dict.fromkeys(found))


def _found(value: Any) -> str:
    return "an empty list" if value == [] else shown(value)
