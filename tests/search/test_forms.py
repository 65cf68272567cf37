"""Cells that compute the same are one to the sampler; other blocks are told apart as they are."""

import numpy as np
import pytest

from search.samplers.surrogate.forms import forms
from search.samplers.surrogate.grid import Grid, grid_of
from search.suggest import architecture_of
from spaces.blocks.cell import NAMES, OPERATIONS, Cell, formula
from spaces.space import BlockChoice, SearchSpace, StageSpace
from tests.contracts.small_spaces import space_of


def cells(operations: tuple[str, ...]) -> Grid:
    """Two positions of cells, beside another kind of block."""
    choice = BlockChoice("cell", (*((name, operations) for name in NAMES), ("cells", (2, 1))))
    stages = (StageSpace((1, 2), (8,), 2, (BlockChoice("mbconv", (("kernel", (3, 5)),)), choice)),)
    return grid_of(SearchSpace((1, 8, 8), 4, (8,), 1, stages))


@pytest.mark.parametrize("operations", [OPERATIONS[::-1], ("none", "conv1x1")])
def test_equal_forms_are_cells_of_equal_formulas(operations: tuple[str, ...]) -> None:
    grid = cells(operations)
    rows = grid.sample(300, np.random.default_rng(0))
    found, _ = forms(grid, rows)
    assert ((found < 0) == (rows < 0)).all() and (found != rows).any()
    for row, form in zip(rows, found, strict=True):
        before, after = (architecture_of(grid.space, grid.params_of(r)).stages[0].blocks for r in (row, form))
        for one, other in zip(before, after, strict=True):
            if isinstance(one, Cell) and isinstance(other, Cell):
                assert formula(one.operations) == formula(other.operations) and one.cells == other.cells
                allowed = set(one.simplest().operations) <= set(operations)
                assert other == (one.simplest() if allowed else one)
            else:
                assert one == other


def test_other_blocks_are_as_they_are() -> None:
    grid = grid_of(space_of(("mbconv", "kan")))
    rows = grid.sample(50, np.random.default_rng(0))
    simplest, parts = forms(grid, rows)
    assert (simplest == rows).all() and parts.shape == (50, 0)


def test_the_parts_of_a_row_are_the_ways_through_its_cells() -> None:
    grid = cells(OPERATIONS)
    rows = grid.sample(200, np.random.default_rng(0))
    _, parts = forms(grid, rows)
    for row, counts in zip(rows, parts, strict=True):
        (stage,) = architecture_of(grid.space, grid.params_of(row)).stages
        ways = [block.parts() if isinstance(block, Cell) else {} for block in stage.blocks]
        assert sorted(counts[counts > 0]) == sorted(float(n) for each in ways for n in each.values())
    assert parts.shape[1] == 2 * (1 + 3 + 9 + 27)  # by position
