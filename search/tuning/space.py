"""Which recipes there may be: steps with choices for their settings, in legal orders, from one or more networks."""

import itertools
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from compress.recipe import Step, is_quantizing

MOST = 4096  # recipes that a sampler looks at; of larger spaces a part
ABSENT = -1
Steps = tuple[tuple[str, Step], ...]


@dataclass(frozen=True)
class Candidate:
    """A recipe: the network that it starts from, by its index, and the steps in their order with all settings."""

    start: int
    steps: Steps

    @property
    def base(self) -> "Candidate":
        """What it is one step further than."""
        return Candidate(self.start, self.steps[:-1])

    @property
    def is_trained(self) -> bool:
        """Some step trains: only then a short look at it costs less than the whole."""
        return any(getattr(step, "epochs", 0) > 0 for _, step in self.steps)

    def describe(self, told: Mapping[str, Collection[str]] | None = None) -> str:
        """One line: `prune ratio 0.5 taylor > quantize int8-static`. told: which settings, by step; without it those
        that differ from the step's defaults."""
        return " > ".join(_described(name, step, told) for name, step in self.steps) or "as it was given"


@dataclass(frozen=True)
class RecipeSpace:
    """choices: for every step, by name, each setting of it that may appear. orders: the sequences of names that are
    legal. starts: how many networks there are to start from."""

    choices: Mapping[str, tuple[Step, ...]]
    orders: tuple[tuple[str, ...], ...]
    starts: int = 1

    def __len__(self) -> int:
        """How many recipes there are: what a full grid would try."""
        return self.starts * sum(self._sizes)

    def __getitem__(self, index: int) -> Candidate:
        """The recipe of that number, 0 to len - 1: mixed radix, the last step's settings change fastest."""
        start, index = divmod(index, sum(self._sizes))
        for order, size in zip(self.orders, self._sizes, strict=True):
            if index < size:
                return Candidate(start, self._steps(order, index))
            index -= size
        raise IndexError(index)

    def __contains__(self, candidate: Candidate) -> bool:
        names = tuple(name for name, _ in candidate.steps)
        known = names in self.orders and 0 <= candidate.start < self.starts
        return known and all(step in self.choices[name] for name, step in candidate.steps)

    def pool(self, near: Sequence[Candidate], rng: random.Random) -> list[Candidate]:
        """All recipes; of a large space a random part, and the neighbours of those in `near`."""
        if len(self) <= MOST:
            return [self[index] for index in range(len(self))]
        drawn = [self[rng.randrange(len(self))] for _ in range(MOST // 2)]
        around = list(itertools.islice((n for c in near for n in self.neighbours(c)), MOST // 2))
        return list(dict.fromkeys([*near, *around, *drawn]))

    def neighbours(self, candidate: Candidate) -> Iterator[Candidate]:
        """What differs in one step's settings, or in the order with the same settings, or in where it starts."""
        kept = dict(candidate.steps)
        for index, (name, _) in enumerate(candidate.steps):
            for step in self.choices[name]:
                yield Candidate(
                    candidate.start, (*candidate.steps[:index], (name, step), *candidate.steps[index + 1 :])
                )
        for order in self.orders:
            yield Candidate(candidate.start, tuple((name, kept.get(name, self.choices[name][0])) for name in order))
        for start in range(self.starts):
            yield Candidate(start, candidate.steps)

    def codes(self, candidates: Sequence[Candidate]) -> np.ndarray:
        """(n, slots) whole numbers: where it starts, each step's place (or ABSENT), each varied setting's position
        among its values (or ABSENT)."""
        rows = np.full((len(candidates), 1 + len(self.choices) + len(self._varied)), ABSENT)
        names = list(self.choices)
        for row, candidate in zip(rows, candidates, strict=True):
            row[0] = candidate.start
            for place, (name, step) in enumerate(candidate.steps):
                row[1 + names.index(name)] = place
                for at, (owner, field, values) in enumerate(self._varied):
                    if owner == name:
                        row[1 + len(names) + at] = values.index(getattr(step, field))
        return rows

    @cached_property
    def ordinal(self) -> np.ndarray:
        """(slots,) which slots have an order that means something: settings that are numbers."""
        numeric = [not isinstance(values[0], str | bool) for _, _, values in self._varied]
        return np.array([False] * (1 + len(self.choices)) + numeric)

    def describe(self, candidate: Candidate) -> str:
        """One line with the settings that there is a choice of."""
        return candidate.describe({name: [field for field, _ in self.varied_of(name)] for name in self.choices})

    def varied_of(self, name: str) -> list[tuple[str, tuple[Any, ...]]]:
        """(field, its values) of what is not the same in all choices of a step."""
        return [(field, values) for owner, field, values in self._varied if owner == name]

    @cached_property
    def _varied(self) -> tuple[tuple[str, str, tuple[Any, ...]], ...]:
        """(step, field, its values in order) of every field that is not the same in all choices of its step."""
        found = []
        for name, steps in self.choices.items():
            for field in settings_of(steps[0]):
                values = {getattr(step, field) for step in steps}
                if len(values) > 1:
                    ordered = sorted(value for value in values if value is not None)
                    found.append((name, field, (*ordered, *([None] if None in values else []))))
        return tuple(found)

    @cached_property
    def _sizes(self) -> tuple[int, ...]:
        counts = {name: len(steps) for name, steps in self.choices.items()}
        return tuple(int(np.prod([counts[name] for name in order], dtype=object)) for order in self.orders)

    def _steps(self, order: tuple[str, ...], index: int) -> Steps:
        chosen: list[tuple[str, Step]] = []
        for name in reversed(order):
            index, at = divmod(index, len(self.choices[name]))
            chosen.append((name, self.choices[name][at]))
        return tuple(reversed(chosen))


def settings_of(step: Any) -> dict[str, Any]:
    """A step's settings by field."""
    return asdict(step)


def _described(name: str, step: Any, told: Mapping[str, Collection[str]] | None) -> str:
    usual, settings = settings_of(type(step)()), settings_of(step)
    named = [field for field in settings if (settings[field] != usual[field] if told is None else field in told[name])]
    shown = [field for field in named if settings[field] is not None]
    return " ".join([name, *(_told(field, settings[field]) for field in shown)])


def _told(field: str, value: Any) -> str:
    if isinstance(value, bool):
        return field if value else f"no {field}"
    return value if isinstance(value, str) else f"{field} {value:g}"


def legal_orders(kinds: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """Every way to take some of the steps, one after the other; what quantizes comes last, and only once.

    kinds: the step's class by name.
    """
    floating = [name for name, make in kinds.items() if not is_quantizing(make)]
    ends: list[tuple[str, ...]] = [(), *((name,) for name, make in kinds.items() if is_quantizing(make))]
    ways = [way for n in range(len(floating) + 1) for way in itertools.permutations(floating, n)]
    return tuple((*way, *end) for way in ways for end in ends if (*way, *end))
