"""From a YAML tree to frozen dataclasses, collecting every problem with its place instead of stopping at the first."""

import math
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from search.config.problems import Path, Problem
from search.config.source import Source
from spaces.registry import Registry, UnknownName, nearest

NAMES = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    dict: "a mapping",
    list: "a list",
}


@dataclass
class Reading:
    """A source being read, and the problems found so far. Readers return None (or leave out) what is wrong."""

    source: Source
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, path: Path, message: str, hint: str = "", *, at_key: bool = False) -> None:
        """Note a problem at `path`, unless the reader could not tell what stands there and said so."""
        if path not in {problem.path for problem in self.source.problems}:
            self.problems.append(self.source.problem(path, message, hint, at_key=at_key))

    def mapping(self, path: Path, value: Any, noun: str) -> Mapping[str, Any] | None:
        """The value if it is a mapping; an empty field counts as an empty mapping."""
        if value is None:
            return {}
        if isinstance(value, dict):
            return value
        self.wrong(path, f"{noun} must be a mapping of fields, got {shown(value)}")
        return None

    def known(self, path: Path, tree: Mapping[str, Any], names: Sequence[str], noun: str) -> None:
        """Note the keys of `tree` that are not in `names`, with the nearest name, one not given yet if it can be."""
        left = [known for known in names if known not in tree]
        for name in tree:
            if name not in names:
                hint = suggestion(name, left if nearest(name, left) else names)
                self.wrong((*path, name), f"unknown field {name!r} for {noun}", hint, at_key=True)

    def needed(
        self, path: Path, tree: Mapping[str, Any], name: str, names: Sequence[str], message: str, hint: str
    ) -> None:
        """Note that the field `name` is missing, unless a misspelled one was meant and `known` says so."""
        unknown = [str(key) for key in tree if key not in names]
        left = [known for known in names if known not in tree]
        if name not in tree and not any(nearest(key, left) == name for key in unknown):
            self.wrong(path, message, hint)

    def scalar(self, path: Path, value: Any, kind: type, noun: str) -> Any:
        """`value` as an int, float, bool, str or dict of texts, strictly (true is no number, 3 is a float too); None if
        it is not."""
        if typing.get_origin(kind) is dict:
            return self._texts(path, value, noun)
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if isinstance(value, float) and not math.isfinite(value):
            self.wrong(path, f"{noun} must be finite, got {value}")
            return None
        if type(value) is kind:
            return value
        self.wrong(path, f"{noun} must be {NAMES[kind]}, got {shown(value)}")
        return None

    def _texts(self, path: Path, value: Any, noun: str) -> dict[str, str] | None:
        tree = self.mapping(path, value, noun)
        read = {name: self.scalar((*path, name), text, str, f"`{name}`") for name, text in (tree or {}).items()}
        return None if tree is None else read

    def instance(self, path: Path, value: Any, make: Callable[..., Any], noun: str, fixed: Sequence[str] = ()) -> Any:
        """An instance of the dataclass `make` from a mapping, or None. Fields in `fixed` are not the user's to set."""
        tree = self.mapping(path, value, noun)
        if tree is None:
            return None
        before = len(self.problems)
        kinds = field_kinds(make)
        self.known(path, tree, [name for name in kinds if name not in fixed], noun)
        read = {n: self.scalar((*path, n), tree[n], kind, f"`{n}`") for n, kind in kinds.items() if n in tree}
        declared: Any = make
        for each in fields(declared):
            if each.default is MISSING and each.default_factory is MISSING and each.name not in tree:
                self.wrong(path, f"{noun} needs the field {each.name!r}", at_key=True)
        made = self._made(path, make, read)
        return made if len(self.problems) == before else None

    def _made(self, path: Path, make: Any, read: Mapping[str, Any]) -> Any:
        """The instance, or None. It raises for one field at a time: what it names is noted, and made without."""
        given = {name: value for name, value in read.items() if value is not None}
        while True:
            if any(e.name not in given and e.default is MISSING and e.default_factory is MISSING for e in fields(make)):
                return None
            try:
                return make(**given)
            except ValueError as error:
                message = str(error).rstrip(".")
                named = re.findall(r"`(\w+)`", message)
                first = named[0] if message.startswith("`") else ""
                if not any(name in read and name not in given for name in named):  # else it may follow from another one
                    self.wrong((*path, first) if first in given else path, message)
                if first not in given:
                    return None
                del given[first]

    def registered(self, path: Path, name: Any, registry: Registry[Any], *, at_key: bool = False) -> Any:
        """The registry's entry of that name, or None."""
        if not isinstance(name, str):
            self.wrong(
                path, f"a {registry.noun} must be text, got {shown(name)}", f"known: {', '.join(registry.names())}"
            )
            return None
        try:
            return registry.get(name)
        except UnknownName:
            self.wrong(path, f"unknown {registry.noun} {name!r}", suggestion(name, registry.names()), at_key=at_key)
            return None

    def options(self, path: Path, value: Any, kind: type, noun: str) -> tuple[Any, ...]:
        """A list of distinct values (or one value) of one type; () if something is wrong."""
        items = value if isinstance(value, list) else [value]
        if not items:
            self.wrong(path, f"{noun} must list at least one value, got an empty list")
        before = len(self.problems)
        place = (lambda i: (*path, i)) if isinstance(value, list) else (lambda _: path)
        read = tuple(self.scalar(place(i), item, kind, noun) for i, item in enumerate(items))
        for i, item in enumerate(read):
            if item is not None and item in read[:i]:
                self.wrong(place(i), f"{noun} lists {item} twice")
        return read if len(self.problems) == before else ()


def suggestion(name: str, known: Sequence[str]) -> str:
    """The hint after an unknown name: the nearest one, or all there are."""
    close = nearest(name, list(known))
    return f"did you mean {close!r}?" if close else f"known: {', '.join(known) or 'none'}"


def field_kinds(make: Any) -> dict[str, type]:
    """{field: int | float | bool | str | dict[str, str]} of a dataclass."""
    hints = typing.get_type_hints(make)
    kinds: dict[str, type] = {}
    for each in fields(make):
        hint = hints[each.name]
        if isinstance(hint, types.UnionType):
            hint = next(part for part in typing.get_args(hint) if part is not types.NoneType)
        if typing.get_origin(hint) is typing.Literal:
            hint = str
        kinds[each.name] = hint
    return kinds


def shown(value: Any) -> str:
    """A value as a message shows it: short, with the kind of what is not a scalar."""
    if isinstance(value, dict | list):
        return f"{NAMES[type(value)]}"
    return "nothing" if value is None else repr(value)


UNITS = {
    "": 1,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "kib": 2**10,
    "mib": 2**20,
}


IN_MS = {"": 1.0, "ms": 1.0, "us": 1e-3, "µs": 1e-3, "s": 1e3}


def limit(metric: str, value: Any) -> float | None:
    """The number of a limit: of a latency in ms (2, 0.5ms, 300us), else as `quantity` reads it."""
    return quantity(value, IN_MS) if metric.startswith("latency_ms@") else quantity(value)


def quantity(value: Any, units: Mapping[str, float] = UNITS) -> float | None:
    """200k, 1.5M, 400kB, 2 MiB or a plain number; None if it is none of them. k = 1,000, Ki = 1,024."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) else None
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([a-zA-Zµ]*)\s*", str(value))
    if match and match.group(2).lower() in units:
        return float(match.group(1)) * units[match.group(2).lower()]
    return None
