"""Named entries that one decorator adds and one lookup finds: blocks, tasks, samplers, steps, exporters, devices.

Third parties add theirs by an entry point of the registry's group (`lathe.blocks`, `lathe.devices`, ...); those are
loaded at the first lookup, so importing Lathe stays cheap.
"""

import difflib
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import Any, Generic, TypeVar

T = TypeVar("T")
E = TypeVar("E")  # an entry as itself: the decorator must not narrow a class to the protocol it meets


class UnknownName(ValueError):
    """A name that no entry of a registry has; the message names the nearest one and all that are known."""


def nearest(name: str, known: list[str]) -> str | None:
    """The known name closest in spelling to `name`, or None if nothing is close."""
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return found[0] if found else None


class Registry(Generic[T]):
    """A dictionary with a noun, a decorator and helpful misses. `noun` is singular: it is used in messages."""

    def __init__(self, noun: str, group: str) -> None:
        self.noun, self.group = noun, group
        self._entries: dict[str, T] = {}
        self._loaded_plugins = False

    def register(self, name: str) -> Callable[[E], E]:
        """Decorator that adds an entry under `name`. Raises ValueError if the name is taken by another entry."""

        def add(entry: E) -> E:
            if name in self._entries and self._entries[name] is not entry:
                raise ValueError(f"{self.noun} {name!r} is registered twice: {self._entries[name]} and {entry}.")
            self._entries[name] = entry  # type: ignore[assignment]  (that it is a T is what the contract tests check)
            return entry

        return add

    def get(self, name: str) -> T:
        """The entry called `name`. Raises UnknownName with the nearest known name."""
        self._load_plugins()
        if name in self._entries:
            return self._entries[name]
        close = nearest(name, self.names())
        hint = f" Did you mean {close!r}?" if close else ""
        raise UnknownName(f"unknown {self.noun} {name!r}.{hint} Known: {', '.join(self.names())}.")

    def names(self) -> list[str]:
        """All names, sorted."""
        self._load_plugins()
        return sorted(self._entries)

    def items(self) -> Iterator[tuple[str, T]]:
        """(name, entry), sorted by name."""
        for name in self.names():
            yield name, self._entries[name]

    def _load_plugins(self) -> None:
        if not self._loaded_plugins:
            self._loaded_plugins = True
            for point in metadata.entry_points(group=self.group):
                loaded: Any = point.load()
                self._entries.setdefault(point.name, loaded)
