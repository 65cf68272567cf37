"""Proposals: what a study asks for, whatever the sampler says."""

import random

import pytest

from search.errors import Infeasible
from search.objectives import Objective
from search.propose import Proposal, Proposer
from search.suggest import architecture_of
from spaces.counts import count
from spaces.space import sample
from tests.contracts.small_spaces import space_of

SPACE = space_of(("mbconv",))
LOSS = Objective("loss")


def proposer(limits: dict[str, float] | None = None) -> Proposer:
    return Proposer(SPACE, (LOSS,), "random", 0, limits or {}, weight_bytes=4)


def told(asked: Proposer, number: int) -> Proposal:
    """The next proposal, evaluated to the number of its parameters."""
    proposal = asked.propose(number)
    asked.tell(proposal, {LOSS.name: float(count(proposal.arch).params)})
    return proposal


def test_the_parameters_of_a_proposal_mean_its_architecture() -> None:
    asked = proposer({"params": 12000.0})
    for number in range(10):
        proposal = told(asked, number)
        assert architecture_of(SPACE, proposal.params) == proposal.arch


def test_what_the_limits_leave_is_proposed() -> None:
    limit = 12_000.0
    asked = proposer({"size_bytes": 4 * limit})
    assert all(count(told(asked, number).arch).params <= limit for number in range(10))


def test_starts_come_first_and_infeasible_ones_are_passed_over() -> None:
    rng = random.Random(0)
    large, small = sorted((sample(SPACE, rng) for _ in range(2)), key=lambda a: -count(a).params)
    asked = proposer({"params": float(count(small).params)})
    asked.starts = (large, small)
    found = [told(asked, number).arch for number in range(2)]
    assert large not in found and found[1] == small


def test_what_was_seen_is_known_to_samplers() -> None:
    asked = proposer()
    found = told(asked, 0).arch
    problem = asked.problem()
    assert problem.seen == {found.id}
    assert (problem.space, problem.objectives, problem.weight_bytes) == (SPACE, (LOSS,), 4)


def test_a_random_architecture_is_new_feasible_and_the_same_for_the_same_number() -> None:
    asked = proposer({"params": 12000.0})
    found = asked.random_architecture(3)
    assert asked.is_feasible(found) and found == asked.random_architecture(3)
    asked.seen.add(found.id)
    assert asked.random_architecture(3) != found


def test_a_limit_that_nothing_meets_is_an_error_and_not_an_endless_search() -> None:
    with pytest.raises(Infeasible, match="nearest"):
        proposer({"params": 1.0}).propose(0)
