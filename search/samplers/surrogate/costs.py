"""Exact costs of many architectures at once: every distinct piece is counted once a process, rows add pieces up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from search.samplers.surrogate.grid import Grid, grid_of
from spaces.blocks import BLOCKS
from spaces.counts import count_piece
from spaces.network import Enter, Head, Piece, Placed, Stem
from spaces.space import SearchSpace, StageSpace

NAMES = ("params", "macs", "peak_bytes")  # the columns
Place = tuple[Piece, tuple[int, ...]]  # a piece and the shape of what it gets


@dataclass(frozen=True, eq=False)
class Costs:
    """Counts of a space's rows. inside: (height, width) in the stem's output and then in each
    stage; a series has the height 1."""

    grid: Grid
    inside: tuple[tuple[int, ...], ...]
    known: dict[tuple[str, int], dict[int, tuple[int, int, int]]] = field(default_factory=dict)

    def of(self, rows: np.ndarray) -> np.ndarray:
        """(n, 3) params, macs and peak_bytes, equal to `spaces.counts.count`.

        Cost: a few microseconds a row, and a few milliseconds for each piece that is new to the process.
        """
        space, total = self.grid.space, np.zeros((len(rows), len(NAMES)))
        before = self.grid.options("stem.width", space.stem_width)
        channels, stem_stride = space.input_shape[0], space.stem_stride
        codes = self.grid.codes("stem.width", rows)
        self._add(
            total,
            slice(None),
            ("stem", 0),
            codes,
            lambda k: (Stem(channels, before[k], stem_stride, space.dims), space.input_shape),
        )
        for i, stage in enumerate(space.stages):
            widths = self.grid.options(f"stage{i}.width", stage.width)
            chosen = self.grid.codes(f"stage{i}.width", rows)
            self._add(total, slice(None), ("enter", i), codes * len(widths) + chosen, self._enter(i, before, widths))
            self._add_blocks(total, rows, i, chosen, widths)
            before, codes = widths, chosen
        shape = self.inside[-1]
        self._add(
            total, slice(None), ("head", 0), codes, lambda k: (Head(before[k], space.classes), (before[k], *shape))
        )
        return total

    def _enter(self, i: int, before: tuple[int, ...], widths: tuple[int, ...]) -> Callable[[int], Place]:
        stage, shape = self.grid.space.stages[i], self.inside[i]

        def place(k: int) -> Place:
            inputs, width = before[k // len(widths)], widths[k % len(widths)]
            return Enter(stage.enter, inputs, width, stage.stride, self.grid.space.dims), (inputs, *shape)

        return place

    def _add_blocks(self, total: np.ndarray, rows: np.ndarray, i: int, chosen: np.ndarray, widths: tuple) -> None:
        stage, shape = self.grid.space.stages[i], self.inside[i + 1]
        offsets = _offsets(stage)
        depths = np.array(self.grid.options(f"stage{i}.depth", stage.depth))[self.grid.codes(f"stage{i}.depth", rows)]

        def place(k: int) -> Place:
            width, option = widths[k // offsets[-1]], k % offsets[-1]
            return Placed(self._block(i, offsets, option), width, self.grid.space.dims), (width, *shape)

        for j in range(max(stage.depth)):
            used = np.flatnonzero(depths > j)
            if len(used):
                options = self._block_options(i, j, rows[used], offsets)
                self._add(total, used, ("block", i), chosen[used] * offsets[-1] + options, place)

    def _block_options(self, i: int, j: int, rows: np.ndarray, offsets: list[int]) -> np.ndarray:
        """(n,) number of the block at a position, counting all options of all its kinds."""
        name, found = f"stage{i}.block{j}", np.zeros(len(rows), int)
        kinds = self.grid.codes(name, rows)
        for index, choice in enumerate(self.grid.space.stages[i].blocks):
            number = np.zeros(len(rows), int)
            for key, options in choice.fields:
                number = number * len(options) + self.grid.codes(f"{name}.{index}.{key}", rows)
            found = np.where(kinds == index, offsets[index] + number, found)
        return found

    def _block(self, i: int, offsets: list[int], option: int) -> Any:
        """The block of an option's number."""
        index = next(n for n in range(len(offsets) - 1) if option < offsets[n + 1])
        choice, number, fields = self.grid.space.stages[i].blocks[index], option - offsets[index], {}
        for key, options in reversed(choice.fields):
            number, code = divmod(number, len(options))
            fields[key] = self.grid.options(f"stage{i}.block0.{index}.{key}", options)[code]
        make: Any = BLOCKS.get(choice.kind)
        return make(**fields)

    def _add(
        self,
        total: np.ndarray,
        where: np.ndarray | slice,
        family: tuple[str, int],
        keys: np.ndarray,
        place: Callable[[int], Place],
    ) -> None:
        """Add one piece to each row at `where`: params and MACs are sums, peak memory is the largest."""
        known = self.known.setdefault(family, {})
        distinct, inverse = np.unique(keys, return_inverse=True)
        for key in distinct.tolist():
            if key not in known:
                counts, _ = count_piece(*place(key))
                known[key] = counts.params, counts.macs, counts.peak_bytes
        found = np.array([known[key] for key in distinct.tolist()], float).reshape(-1, len(NAMES))[inverse]
        total[where, :2] += found[:, :2]
        total[where, 2] = np.maximum(total[where, 2], found[:, 2])


@lru_cache(maxsize=8)
def costs_of(space: SearchSpace) -> Costs:
    """The costs of a space; heights and widths of images follow from its strides."""
    width = space.stem_width[0]
    _, shape = count_piece(Stem(space.input_shape[0], width, space.stem_stride, space.dims), space.input_shape)
    inside = [shape[1:]]
    for stage in space.stages:
        _, shape = count_piece(Enter(stage.enter, width, stage.width[0], stage.stride, space.dims), shape)
        width = stage.width[0]
        inside.append(shape[1:])
    return Costs(grid_of(space), tuple(inside))


def _offsets(stage: StageSpace) -> list[int]:
    """Where the options of each kind begin, and how many there are in all."""
    offsets = [0]
    for choice in stage.blocks:
        offsets.append(offsets[-1] + int(np.prod([len(options) for _, options in choice.fields], dtype=int)))
    return offsets
