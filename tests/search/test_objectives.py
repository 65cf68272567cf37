"""Fronts and hypervolumes against brute force."""

import itertools
import random

import numpy as np
import pytest

from search.objectives import Objective, dominates, front, hypervolume, minimised

Points = list[tuple[float, ...]]


def some_points(dimensions: int, seed: int, n: int = 30) -> Points:
    """On a grid of 6 values an axis, so that ties and repeated points happen."""
    rng = random.Random(seed)
    return [tuple(rng.randint(0, 5) / 5 for _ in range(dimensions)) for _ in range(n)]


def test_domination_needs_nothing_worse_and_something_better() -> None:
    assert dominates((1, 2), (1, 3)) and dominates((0, 0), (1, 1))
    assert not dominates((1, 2), (1, 2)) and not dominates((1, 3), (2, 2)) and not dominates((2, 2), (1, 2))


@pytest.mark.parametrize("dimensions", [1, 2, 3, 4])
def test_the_front_is_what_no_other_point_dominates(dimensions: int) -> None:
    for seed in range(20):
        points = some_points(dimensions, seed)
        kept = front(points)
        best = {p for p in points if not any(dominates(q, p) for q in points)}
        assert {points[i] for i in kept} == best
        assert len(kept) == len(best), "of equal points one"
        assert all(points.index(points[i]) == i for i in kept), "and that the first"
        firsts = [points[i][0] for i in kept]
        assert firsts == sorted(firsts)


def test_the_front_of_nothing_is_empty() -> None:
    assert front([]) == [] and hypervolume([], (1.0, 1.0)) == 0.0


@pytest.mark.parametrize("dimensions", [1, 2, 3, 4])
def test_the_hypervolume_is_that_of_counted_cells(dimensions: int) -> None:
    """Points lie on a grid, so the cells between its lines are dominated wholly or not at all."""
    for seed in range(10):
        points = some_points(dimensions, seed, n=8)
        corners = itertools.product(np.arange(5) / 5, repeat=dimensions)
        dominated = sum(any(all(a <= c for a, c in zip(p, corner, strict=True)) for p in points) for corner in corners)
        assert hypervolume(points, (1.0,) * dimensions) == pytest.approx(dominated / 5**dimensions)


def test_a_hypervolume_by_hand() -> None:
    assert hypervolume([(1, 3), (2, 2), (3, 1)], (4, 4)) == 6
    assert hypervolume([(1, 1, 1), (0, 2, 2)], (3, 3, 3)) == 8 + 3 * 1 * 1 - 2 * 1 * 1


def test_points_beyond_the_reference_and_dominated_ones_add_nothing() -> None:
    assert hypervolume([(1, 1), (5, 0), (2, 2), (1, 1)], (3, 3)) == hypervolume([(1, 1)], (3, 3)) == 4


def test_objectives_are_named_as_in_space_files_and_all_minimised() -> None:
    objectives = [Objective("accuracy", "max"), Objective("latency_ms", device="here"), Objective("params")]
    assert [objective.name for objective in objectives] == ["accuracy", "latency_ms@here", "params"]
    values = {"params": 7.0, "accuracy": 0.9, "latency_ms@here": 2.0, "loss": 1.0}
    assert minimised(objectives, values) == (-0.9, 2.0, 7.0)
    with pytest.raises(KeyError, match="accuracy"):
        minimised(objectives, {"params": 7.0})
