"""A search space as a table of integers, so that thousands of architectures are sampled and changed at once.

A row holds the code of the chosen option of every decision, -1 where the architecture leaves the decision unused: equal
rows are equal architectures. The converse fails only where two entries of `blocks` allow the same block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from search.suggest import decisions, is_ordinal
from spaces.space import SearchSpace


@dataclass(frozen=True)
class Slot:
    """A decision. options: in the order of their codes. needs: (other slot, its codes) under which it is used."""

    name: str
    options: tuple[Any, ...]
    ordinal: bool
    needs: tuple[tuple[int, tuple[int, ...]], ...]


@dataclass(frozen=True, eq=False)
class Grid:
    """The slots of a space. sizes: (slots,) number of options, all at least 2. ordinal: (slots,) bool."""

    space: SearchSpace
    slots: tuple[Slot, ...]
    index: Mapping[str, int]
    sizes: np.ndarray
    ordinal: np.ndarray

    def sample(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """(count, slots) rows, every decision uniform."""
        return self.canonical(rng.integers(0, self.sizes, (count, len(self.slots))))

    def redraw(self, rows: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
        """Every decision drawn anew with probability `rate`, as `spaces.space.mutate` does."""
        drawn = rng.integers(0, self.sizes, rows.shape)
        return self.canonical(np.where((rows < 0) | (rng.random(rows.shape) < rate), drawn, rows))

    def neighbours(self, rows: np.ndarray, rng: np.random.Generator, most: int = 3) -> np.ndarray:
        """One to `most` used decisions of every row changed to another option."""
        keys = np.where(rows < 0, np.inf, rng.random(rows.shape))
        last = np.sort(keys, axis=1)[
            np.arange(len(rows)), np.minimum(rng.integers(0, most, len(rows)), rows.shape[1] - 1)
        ]
        changed = (rows + rng.integers(1, self.sizes, rows.shape)) % self.sizes
        drawn = rng.integers(0, self.sizes, rows.shape)
        moved = np.where((keys <= last[:, None]) & (rows >= 0), changed, rows)
        return self.canonical(np.where(rows < 0, drawn, moved))

    def canonical(self, rows: np.ndarray) -> np.ndarray:
        """-1 where a decision is unused. Needed slots come before those that need them."""
        rows = rows.copy()
        for at, slot in enumerate(self.slots):
            for other, codes in slot.needs:
                is_met = np.zeros(self.sizes[other] + 1, bool)  # the last is code -1: unused itself
                is_met[list(codes)] = True
                rows[~is_met[rows[:, other]], at] = -1
        return rows

    def rows_of(self, params: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """(n, slots) rows that Optuna's parameters mean."""
        codes = [
            [p[slot.name] if slot.ordinal else slot.options.index(p[slot.name]) for slot in self.slots] for p in params
        ]
        return self.canonical(np.array(codes, int).reshape(len(params), len(self.slots)))

    def params_of(self, row: np.ndarray) -> dict[str, Any]:
        """Optuna's parameters of one row; an unused decision has its first option."""
        codes = np.maximum(row, 0).tolist()
        return {
            slot.name: code if slot.ordinal else slot.options[code]
            for slot, code in zip(self.slots, codes, strict=True)
        }

    def codes(self, name: str, rows: np.ndarray) -> np.ndarray:
        """(n,) codes of one decision; 0 where the space leaves no choice."""
        return rows[:, self.index[name]] if name in self.index else np.zeros(len(rows), int)

    def options(self, name: str, only: Sequence[Any]) -> tuple[Any, ...]:
        """Options in the order of their codes; `only` where the space leaves no choice."""
        return self.slots[self.index[name]].options if name in self.index else tuple(only)


@lru_cache(maxsize=8)
def every_row(grid: Grid) -> np.ndarray:
    """(n, slots) every architecture of a small space, once."""
    return np.unique(grid.canonical(np.indices(grid.sizes.tolist()).reshape(len(grid.sizes), -1).T), axis=0)


@lru_cache(maxsize=8)
def grid_of(space: SearchSpace) -> Grid:
    """The grid of a space."""
    found = decisions(space)
    index = {name: at for at, name in enumerate(found)}
    slots = []
    for name, options in found.items():
        ordinal = is_ordinal(name, options)
        slots.append(Slot(name, tuple(sorted(options)) if ordinal else options, ordinal, _needs(space, name, index)))
    sizes = np.array([len(slot.options) for slot in slots], int)
    return Grid(space, tuple(slots), index, sizes, np.array([slot.ordinal for slot in slots], bool))


def _needs(space: SearchSpace, name: str, index: Mapping[str, int]) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """A position is used by stages that are deep enough, and a field by its kind of block."""
    parts = name.split(".")
    if parts[0] == "stem" or not parts[1].startswith("block"):
        return ()
    stage, position, needs = parts[0], int(parts[1].removeprefix("block")), []
    if f"{stage}.depth" in index:
        depths = sorted(space.stages[int(stage.removeprefix("stage"))].depth)
        needs.append((index[f"{stage}.depth"], tuple(code for code, depth in enumerate(depths) if depth > position)))
    kind = f"{stage}.{parts[1]}"
    if len(parts) == 4 and kind in index:
        needs.append((index[kind], (int(parts[2]),)))
    return tuple(needs)
