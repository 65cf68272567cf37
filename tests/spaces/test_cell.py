"""Cells: what an edge is, which edges are there, and which cells compute the same."""

import itertools
import random
from dataclasses import replace

import pytest
import torch
from torch import nn

from spaces.blocks.cell import EDGES, NAMES, OPERATIONS, Cell, formula, live
from spaces.counts import Counts, count_module
from spaces.network import Placed
from spaces.space import BlockChoice, StageSpace, largest_blocks


def cell_of(**edges: str) -> Cell:
    """A cell of these edges and no others."""
    return replace(Cell(), **dict.fromkeys(NAMES, "none") | edges)  # type: ignore[arg-type]


def scrambled(cell: Cell, width: int = 4) -> nn.Module:
    """The cell with random numbers everywhere, the same for the same layers."""
    block = cell.build(width).eval()
    with torch.no_grad():
        for name, parameter in sorted(block.named_parameters()):
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(len(name))))
    return block


def test_a_cell_is_the_sum_over_its_paths() -> None:
    cell = cell_of(e10="skip", e31="avgpool3x3", e30="skip")
    block, x = scrambled(cell), torch.randn(2, 4, 6, 6)
    pooled = nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    norm = block.get_submodule("cell0.norm")
    torch.testing.assert_close(block(x), x + norm(x + pooled))


def test_the_parts_of_a_cell_are_the_ways_through_it() -> None:
    cell = cell_of(e10="conv3x3", e20="skip", e21="conv1x1", e30="skip", e31="avgpool3x3", e32="skip")
    assert cell.parts() == {"": 2, "conv3x3 avgpool3x3": 1, "conv3x3 conv1x1": 1}


def test_only_edges_between_input_and_output_are_built() -> None:
    dead = cell_of(e21="conv3x3", e10="conv1x1", e30="skip")  # node 2 leads nowhere
    assert live(dead.operations) == ("none", "none", "none", "skip", "none", "none")
    assert [name for name, _ in dead.build(4).named_parameters()] == ["cell0.norm.weight", "cell0.norm.bias"]


def test_a_cell_without_a_way_through_passes_its_input_on() -> None:
    block, x = cell_of().build(4).eval(), torch.randn(2, 4, 5, 5)
    assert torch.equal(block(x), x)


@pytest.mark.parametrize("seed", range(3))
def test_cells_of_one_formula_compute_the_same_with_the_same_weights(seed: int) -> None:
    """One convolution, which may be on the first or on the second half of a way, on any way."""
    x = torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(seed))
    cells = [cell_of(e30="conv1x1"), cell_of(e10="conv1x1", e31="skip"), cell_of(e20="skip", e32="conv1x1")]
    assert len({formula(cell.operations) for cell in cells}) == 1
    outputs = []
    for cell in cells:
        block = cell.build(4).eval()
        with torch.no_grad():
            for parameter in block.parameters():
                draw = torch.Generator().manual_seed(parameter.numel() + parameter.ndim)
                parameter.copy_(torch.randn(parameter.shape, generator=draw))
        outputs.append(block(x))
    assert all(torch.equal(output, outputs[0]) for output in outputs)


def test_every_cells_simplest_is_its_own_and_computes_the_same() -> None:
    found = set()
    for operations in itertools.islice(itertools.product(OPERATIONS, repeat=len(EDGES)), 0, None, 7):
        cell = cell_of(**dict(zip(NAMES, operations, strict=True)))
        simplest = cell.simplest()
        assert formula(simplest.operations) == formula(operations) and simplest.simplest() == simplest
        assert simplest.parts() == cell.parts()
        assert sum(op != "none" for op in simplest.operations) <= sum(op != "none" for op in operations)
        found.add(simplest)
    assert 1000 < len(found) < 1500  # of 2233 cells


def test_the_largest_cell_has_the_most_on_every_edge_whatever_the_order_of_the_options() -> None:
    some = BlockChoice("cell", (("e10", ("conv3x3", "none")), ("e20", ("none", "conv1x1", "skip"))))
    other = BlockChoice("cell", (("e10", ("skip",)), ("e20", ("avgpool3x3",)), ("cells", (1, 2))))
    (top,) = largest_blocks(StageSpace((1,), (8,), 1, (some, other)))
    assert isinstance(top, Cell) and (top.e10, top.e20, top.cells) == ("conv3x3", "conv1x1", 2)


@pytest.mark.parametrize("dims", [1, 2])
def test_a_cell_counts_itself_as_its_layers_are_counted(dims: int) -> None:
    rng, shape = random.Random(0), (8, 5, 7) if dims == 2 else (8, 1, 9)
    for cells in [1] * 16 + [2] * 3:
        cell = replace(cell_of(**{name: rng.choice(OPERATIONS) for name in NAMES}), cells=cells)
        with torch.device("meta"):
            found, _ = count_module(Placed(cell, 8, dims).build().eval(), torch.empty(1, *shape))
        assert found == Counts(*cell.counts(8, shape, dims)), cell
