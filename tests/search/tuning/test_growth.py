"""What a recipe promises for the front is what the hypervolume grows by, and what it costs is what is not there yet."""

import math

import numpy as np
import pytest

from compress.distill.step import Distill
from compress.prune.channels import Prune
from compress.quantize.step import Quantize
from search.objectives import hypervolume
from search.tuning.growth import corner, growth, point, seconds_of
from search.tuning.problem import Problem
from search.tuning.seen import Numbers, Seen
from search.tuning.space import Candidate, RecipeSpace

PRUNE, DISTILL, INT8 = ("prune", Prune(epochs=2)), ("distill", Distill(epochs=2)), ("quantize", Quantize())


def numbers(drop: float, latency_ms: float, size_bytes: float) -> Numbers:
    return Numbers(0.9 - drop / 100, drop, drop, drop, latency_ms, size_bytes)


SEEN = [
    Seen(Candidate(0, ()), False, numbers(0.0, 1.0, 1000.0)),
    Seen(Candidate(0, (PRUNE,)), False, numbers(2.0, 0.5, 400.0), 3.0),
    Seen(Candidate(0, (INT8,)), False, numbers(0.5, 0.8, 250.0), 1.0),
    Seen(Candidate(0, (DISTILL,)), True, numbers(-1.0, 0.1, 100.0), 1.0),  # a look is not on the front
]


@pytest.mark.parametrize("at", [(1.0, 0.4, 300.0), (2.5, 0.3, 350.0), (-0.5, 1.0, 1000.0), (3.0, 1.0, 1000.0)])
def test_what_is_sure_grows_the_front_by_what_the_hypervolume_says(at: tuple[float, float, float]) -> None:
    end = corner(SEEN, 1.0)
    front = [point(one.numbers) for one in SEEN if one.numbers and not one.is_look]
    added = (at[0], math.log(at[1]), math.log(at[2]))
    grown = hypervolume([*front, added], list(end)) - hypervolume(front, list(end))
    found = growth(np.array([added]), np.full((1, 3), 1e-9), SEEN, 1.0)
    assert found[0] == pytest.approx(grown, abs=1e-6)


def test_what_is_unsure_of_its_accuracy_promises_what_many_draws_do() -> None:
    end, rng = corner(SEEN, 1.0), np.random.default_rng(0)
    front = [point(one.numbers) for one in SEEN if one.numbers and not one.is_look]
    before, costs = hypervolume(front, list(end)), (math.log(0.4), math.log(300.0))
    drawn = [hypervolume([*front, (rng.normal(1.5, 1.0), *costs)], list(end)) - before for _ in range(4000)]
    found = growth(np.array([(1.5, *costs)]), np.array([(1.0, 1e-9, 1e-9)]), SEEN, 1.0)
    assert found[0] == pytest.approx(np.mean(drawn), rel=0.05)


def test_a_network_that_forgot_everything_does_not_move_the_corner() -> None:
    worst = Seen(Candidate(0, (PRUNE, DISTILL)), False, numbers(80.0, 0.5, 400.0))
    assert corner([*SEEN, worst], 1.0)[0] == pytest.approx(-1.0 + 10)


def test_only_steps_that_are_not_there_cost_anything() -> None:
    problem = Problem(RecipeSpace({}, ()), SEEN, 1.0)
    pruned, pruned_int8 = Candidate(0, (PRUNE,)), Candidate(0, (PRUNE, INT8))
    elsewhere, unknown = Candidate(1, (PRUNE, INT8)), Candidate(0, (PRUNE, DISTILL))
    free, child, whole, mean = seconds_of([pruned, pruned_int8, elsewhere, unknown], problem)
    assert free < 0.01
    assert (child, whole) == (1.0, 4.0)
    assert mean == 2.0  # nothing like it was made yet: as long as all that was
