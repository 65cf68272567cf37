"""What rows compute: blocks of which several compute the same are known by the simplest, and by their parts."""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import Any

import numpy as np

from search.samplers.surrogate.grid import Grid
from spaces.blocks import BLOCKS
from spaces.blocks.block import HasSimplest
from spaces.space import BlockChoice

MOST = 200_000  # combinations of a block's options up to which all of them are looked through


def forms(grid: Grid, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, slots) `rows`, with every block as the simplest one of its kind that computes the same, where the space
    allows that one; and (n, p) how often each has the parts that such blocks are made of, by position.

    Cost: nothing in spaces without such blocks, else a few passes over the rows, and 0.1 ms for each combination of
    the block's options, once a process.
    """
    found, parts = rows.copy(), [np.zeros((len(rows), 0))]
    for i, stage in enumerate(grid.space.stages):
        for index, choice in enumerate(stage.blocks):
            table = _table(choice)
            for j in range(max(stage.depth)) if table is not None else ():
                codes, counts = table  # type: ignore[misc]
                names = [f"stage{i}.block{j}.{index}.{field}" for field, options in choice.fields if len(options) > 1]
                slots = np.array([grid.index[name] for name in names])
                used = np.flatnonzero((rows[:, slots] >= 0).all(1))
                at = np.ravel_multi_index(tuple(rows[np.ix_(used, slots)].T), tuple(grid.sizes[slots]))
                found[np.ix_(used, slots)] = codes[at]
                parts.append(np.zeros((len(rows), counts.shape[1])))
                parts[-1][used] = counts[at]
    return found, np.concatenate(parts, axis=1)


@lru_cache(maxsize=32)
def _table(choice: BlockChoice) -> tuple[np.ndarray, np.ndarray] | None:
    """For each combination of codes, in their order: (combinations, fields with a choice) codes of the simplest block,
    and (combinations, p) its parts. None where no two blocks of the kind compute the same, or nothing is to choose."""
    make: Any = BLOCKS.get(choice.kind)
    options = [_sorted(values) for _, values in choice.fields]
    free = [k for k, values in enumerate(options) if len(values) > 1]
    if not isinstance(make(), HasSimplest) or not free or np.prod([len(values) for values in options]) > MOST:
        return None
    names = [name for name, _ in choice.fields]
    codes, parts = [], []
    for values in itertools.product(*options):
        block = make(**dict(zip(names, values, strict=True)))
        simplest = block.simplest()
        wanted = [getattr(simplest, name) for name in names]
        is_there = all(value in known for value, known in zip(wanted, options, strict=True))
        chosen = wanted if is_there else values
        codes.append([options[k].index(chosen[k]) for k in free])
        parts.append(block.parts())
    named = sorted({name for each in parts for name in each})
    return np.array(codes), np.array([[each.get(name, 0) for name in named] for each in parts], float)


def _sorted(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """In the order of the grid's codes: numbers by size, others as they are listed."""
    return values if isinstance(values[0], str | bool) else tuple(sorted(values))
