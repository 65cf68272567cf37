"""What counts as good among recipes: sure before likely, then fast, then small."""

from dataclasses import replace

import pytest

from compress.distill.step import Distill
from compress.prune.channels import Prune
from search.tuning.seen import Numbers, Seen, best, front_of
from search.tuning.space import Candidate

GIVEN = Numbers(0.95, 0.0, 0.0, 0.0, 1.0, 100.0)


def seen(
    latency: float, drop: float, high: float, size: float = 50.0, is_look: bool = False, ratio: float = 0.5
) -> Seen:
    numbers = Numbers(0.95 - drop / 100, drop, drop - 0.5, high, latency, size)
    return Seen(Candidate(0, (("prune", Prune(ratio=ratio)),)), is_look, numbers)


START = Seen(Candidate(0, ()), False, GIVEN)


def test_the_fastest_that_surely_keeps_the_budget_is_best() -> None:
    sure, unsure = seen(0.6, 0.2, 0.9), seen(0.4, 0.8, 1.5, ratio=0.75)
    assert best([START, sure, unsure], 1.0) is sure


def test_where_images_can_be_sure_of_none_the_loss_itself_decides() -> None:
    unsure, over = seen(0.6, 0.8, 1.5), seen(0.2, 1.2, 1.6, ratio=0.75)
    assert best([START, unsure, over], 1.0) is unsure


@pytest.mark.parametrize(
    "worse",
    [seen(0.5, 0.1, 0.4, is_look=True), seen(2.0, 0.0, 0.1, size=200.0), seen(0.5, 3.0, 4.0)],
    ids=["only looked at", "slower and larger", "over the budget"],
)
def test_the_given_network_is_best_where_nothing_better_was_made(worse: Seen) -> None:
    assert best([START, worse], 1.0) is START


def test_what_breaks_a_limit_is_never_best_be_it_the_start() -> None:
    small = seen(0.9, 0.1, 0.4)
    assert small.numbers is not None
    broken = replace(small, numbers=replace(small.numbers, latency_ms=0.1, broken=True))
    large = replace(START, numbers=replace(GIVEN, broken=True))
    assert best([large, broken, small], 1.0) is small
    assert best([large, broken], 1.0) is None


def test_the_front_holds_what_nothing_beats_on_accuracy_latency_and_size() -> None:
    fast, beaten = seen(0.5, 0.5, 0.9), seen(0.7, 0.6, 0.9, ratio=0.25)
    accurate = Seen(Candidate(0, (("distill", Distill()),)), False, Numbers(0.97, -2.0, -3.0, -1.0, 1.0, 100.0))
    assert front_of([START, fast, beaten, accurate], 1.0) == [fast, accurate]
