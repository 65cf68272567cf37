"""The surrogate's tables of a space, its vectorised costs, and where its candidates come from."""

import random
from dataclasses import replace

import numpy as np
import pytest

from search.limits import total_excess
from search.samplers.surrogate.costs import costs_of
from search.samplers.surrogate.grid import grid_of
from search.samplers.surrogate.pool import SIZE, candidates, excess
from search.suggest import architecture_of, decisions, is_ordinal, params_of
from spaces.counts import count
from spaces.space import BlockChoice, SearchSpace, StageSpace, sample, size
from tests.contracts.small_spaces import SERIES, space_of

SPACE = space_of(("attention", "kan", "mbconv", "moe"))


def test_rows_mean_the_architectures_whose_parameters_they_came_from() -> None:
    grid, rng = grid_of(SPACE), random.Random(0)
    unused = {n: 0 if is_ordinal(n, o) else o[0] for n, o in decisions(SPACE).items()}
    archs = [sample(SPACE, rng) for _ in range(100)]
    rows = grid.rows_of([params_of(SPACE, arch, unused) for arch in archs])
    assert [architecture_of(SPACE, grid.params_of(row)) for row in rows] == archs


def test_unused_decisions_do_not_tell_rows_apart() -> None:
    grid, rng = grid_of(SPACE), random.Random(0)
    arch = sample(SPACE, rng)
    first, last = (
        {n: (0 if end == 0 else len(o) - 1) if is_ordinal(n, o) else o[end] for n, o in decisions(SPACE).items()}
        for end in (0, -1)
    )
    one, other = grid.rows_of([params_of(SPACE, arch, first), params_of(SPACE, arch, last)])
    assert one.tolist() == other.tolist() and -1 in one


@pytest.mark.parametrize("space", [SPACE, replace(SPACE, input_shape=SERIES)], ids=["images", "series"])
def test_costs_of_rows_equal_the_counts_of_their_networks(space: SearchSpace) -> None:
    costs = costs_of(space)
    rows = costs.grid.sample(60, np.random.default_rng(0))
    counted = [count(architecture_of(space, costs.grid.params_of(row))) for row in rows]
    assert costs.of(rows).tolist() == [[c.params, c.macs, c.peak_bytes] for c in counted]


def test_excess_of_rows_equals_that_of_their_architectures() -> None:
    costs, limits = costs_of(SPACE), {"params": 8e3, "macs": 3e5, "peak_bytes": 3e4, "size_bytes": 9e3}
    rows = costs.grid.sample(60, np.random.default_rng(0))
    archs = [architecture_of(SPACE, costs.grid.params_of(row)) for row in rows]
    expected = [total_excess(arch, limits, 1) for arch in archs]
    assert max(expected) > 0
    np.testing.assert_allclose(excess(costs.of(rows), limits, 1), expected)


def test_a_neighbour_differs_and_by_few_decisions_that_both_have() -> None:
    grid, rng = grid_of(SPACE), np.random.default_rng(0)
    rows = grid.sample(200, rng)
    near = grid.neighbours(rows, rng)
    differs = ((rows != near) & (rows >= 0) & (near >= 0)).sum(1)
    assert (rows != near).any(1).all()
    assert differs.max() <= 3


@pytest.mark.parametrize("share", [0.5, 0.01, 0.001])
def test_candidates_are_feasible_new_and_distinct(share: float) -> None:
    costs, rng = costs_of(SPACE), np.random.default_rng(0)
    rows = costs.grid.sample(20_000, rng)
    params = costs.of(rows)[:, 0]
    limit = float(np.quantile(params, share))
    known = rows[params <= limit][:20]
    found, counts = candidates(costs, {"params": limit}, 1, known, known, rng)
    keys = {row.tobytes() for row in found}
    assert len(found) >= 50 and counts[:, 0].max() <= limit
    assert len(keys) == len(found) <= SIZE
    assert not keys & {row.tobytes() for row in known}
    np.testing.assert_array_equal(counts, costs.of(found))


def test_the_downhill_walk_finds_more_than_rejection_would() -> None:
    costs, rng = costs_of(SPACE), np.random.default_rng(0)
    rows = costs.grid.sample(20_000, rng)
    limit = float(np.quantile(costs.of(rows)[:, 0], 0.001))
    found, _ = candidates(costs, {"params": limit}, 1, rows[:0], rows[:0], rng)
    assert len(found) > 20 * SIZE * 0.001


def test_of_a_small_space_everything_that_is_left_is_a_candidate() -> None:
    block = BlockChoice("mbconv", (("kernel", (3, 5)), ("expand", (1, 2, 4))))
    small = SearchSpace((1, 8, 8), 4, (8, 16), 1, (StageSpace((1, 2), (16, 24), 2, (block,)),))
    costs, rng = costs_of(small), np.random.default_rng(0)
    known = costs.grid.sample(10, rng)
    found, _ = candidates(costs, {}, 4, known, known, rng)
    assert len(found) == size(small) - len({row.tobytes() for row in known})
    params = np.sort(costs.of(found)[:, 0])
    limit = float(params[len(params) // 3])
    some, counts = candidates(costs, {"params": limit}, 4, known, known, rng)
    assert len(some) == (params <= limit).sum() and counts[:, 0].max() <= limit
