"""What every sampler owes a study: the same answer to the same question, never one that is forbidden or known."""

import math

import numpy as np
import pytest

from search.errors import Infeasible
from search.objectives import Objective
from search.propose import Proposal, Proposer
from search.samplers import SAMPLERS
from search.samplers.surrogate.costs import costs_of
from search.state.records import TrialRecord
from spaces.architecture import Architecture
from spaces.blocks.kan import KAN
from spaces.counts import count
from spaces.space import BlockChoice, SearchSpace, StageSpace, size

MBCONV = BlockChoice("mbconv", (("kernel", (3, 5)), ("expand", (1, 2, 4)), ("act", ("relu6", "hardswish"))))
RATIONAL = BlockChoice("kan", (("ratio", (1, 2)),))
SPACE = SearchSpace(
    (1, 8, 8),
    10,
    (8, 16),
    1,
    (StageSpace((1, 2), (16, 24), 1, (MBCONV, RATIONAL)), StageSpace((1, 2, 3), (16, 32, 48), 2, (MBCONV, RATIONAL))),
)
LOSS, LATENCY, PARAMS = Objective("loss"), Objective("latency_ms", device="here"), Objective("params")
SETS = {"one objective": (LOSS,), "two objectives": (LOSS, LATENCY), "three objectives": (LOSS, LATENCY, PARAMS)}
LIMITS = {"params": 30_000.0}
TRIALS = 50  # two generations of NSGA-II, and more than the surrogate draws at random
SECONDS_A_PROPOSAL = {"gp": 16}  # samplers that take seconds, with how many trials show that they ask their model


def formula(arch: Architecture) -> dict[str, float] | None:
    """Values of every objective without any training; None, a failed trial, for about one network in six."""
    if int(arch.id[:4], 16) % 6 == 0:
        return None
    counts, blocks = count(arch), [block for stage in arch.stages for block in stage.blocks]
    loss = 5 / math.log(counts.params) + 0.02 * sum(isinstance(block, KAN) for block in blocks)
    return {
        LOSS.name: loss + 0.01 * math.sin(int(arch.id[:4], 16)),
        LATENCY.name: counts.macs / 1e6 + 0.05 * len(blocks),
        PARAMS.name: float(counts.params),
    }


def proposer(
    name: str,
    objectives: tuple[Objective, ...] = SETS["two objectives"],
    limits: dict[str, float] = LIMITS,
    seed: int = 3,
) -> Proposer:
    return Proposer(SPACE, objectives, name, seed, limits, weight_bytes=1)


def go_on(asked: Proposer, first: int, last: int) -> list[TrialRecord]:
    """Propose, evaluate and tell trials `first` to `last`; the rows that a study would write of them."""
    found = []
    for number in range(first, last):
        proposal = asked.propose(number)
        values = formula(proposal.arch)
        told = None if values is None else {o.name: values[o.name] for o in asked.objectives}
        asked.tell(proposal, told)
        found.append(row(number, proposal, told))
    return found


def row(number: int, proposal: Proposal, told: dict[str, float] | None) -> TrialRecord:
    """A trial as the ledger keeps it."""
    values = told or {}
    return TrialRecord(
        number,
        proposal.arch.id,
        proposal.params,
        proposal.system_attrs,
        values,
        dict.fromkeys(values, "measured"),
        "failed" if told is None else "done",
        error="the formula says so" if told is None else "",
    )


@pytest.fixture(scope="module", params=SETS)
def objectives(request: pytest.FixtureRequest) -> tuple[Objective, ...]:
    return SETS[request.param]


@pytest.fixture(
    scope="module",
    params=[pytest.param(n, marks=[pytest.mark.slow] * (n in SECONDS_A_PROPOSAL)) for n in SAMPLERS.names()],
)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def unbroken(name: str, objectives: tuple[Objective, ...]) -> list[TrialRecord]:
    return go_on(proposer(name, objectives), 0, SECONDS_A_PROPOSAL.get(name, TRIALS))


def test_the_formula_fails_sometimes_so_that_failed_trials_are_part_of_the_test(unbroken: list[TrialRecord]) -> None:
    assert {trial.state for trial in unbroken} == {"done", "failed"}


def test_the_same_seed_proposes_the_same(
    name: str, objectives: tuple[Objective, ...], unbroken: list[TrialRecord]
) -> None:
    known = unbroken[:30]
    assert go_on(proposer(name, objectives), 0, len(known)) == known


def test_another_seed_proposes_something_else(
    name: str, objectives: tuple[Objective, ...], unbroken: list[TrialRecord]
) -> None:
    other = go_on(proposer(name, objectives, seed=4), 0, 5)
    assert [t.architecture_id for t in other] != [t.architecture_id for t in unbroken[:5]]


@pytest.mark.parametrize("broken_after", [1, 14, 19, 20, 21, 33, 40])
def test_a_study_rebuilt_from_its_rows_goes_on_as_the_unbroken_one(
    name: str, objectives: tuple[Objective, ...], unbroken: list[TrialRecord], broken_after: int
) -> None:
    if broken_after >= len(unbroken):
        pytest.skip("this sampler takes seconds a proposal and was asked for fewer")
    resumed = proposer(name, objectives)
    resumed.replay(unbroken[:broken_after])
    until = min(broken_after + 5, len(unbroken))
    assert go_on(resumed, broken_after, until) == unbroken[broken_after:until]


def test_no_architecture_is_proposed_twice(unbroken: list[TrialRecord]) -> None:
    assert len({trial.architecture_id for trial in unbroken}) == len(unbroken)


@pytest.mark.parametrize("share", [0.01, 0.001])
def test_every_proposal_is_feasible_and_new_where_few_architectures_are(name: str, share: float) -> None:
    costs = costs_of(SPACE)
    macs = costs.of(costs.grid.sample(30_000, np.random.default_rng(0)))[:, 1]
    limit = float(np.quantile(macs, share))
    assert 0 < (macs <= limit).mean() < 1.2 * share
    asked, found = proposer(name, limits={"macs": limit}), []
    for number in range(15):
        proposal = asked.propose(number)
        found.append(proposal.arch)
        asked.tell(proposal, formula(proposal.arch))
    assert max(count(arch).macs for arch in found) <= limit
    assert len({arch.id for arch in found}) == 15


def test_an_architecture_of_another_origin_is_not_proposed_again(name: str) -> None:
    asked = proposer(name)
    first = asked.propose(0).arch.id
    asked.seen.add(first)
    assert asked.propose(0).arch.id != first


def test_a_space_that_is_used_up_says_so(name: str) -> None:
    small = SearchSpace((1, 8, 8), 10, (8,), 1, (StageSpace((1,), (8, 16), 2, (RATIONAL,)),))
    asked = Proposer(small, (LOSS,), name, 0, {}, weight_bytes=1)
    for number in range(size(small)):
        proposal = asked.propose(number)
        asked.tell(proposal, {LOSS.name: float(number)})
    assert len(asked.seen) == size(small) == 4
    with pytest.raises(Infeasible, match="has been tried"):
        asked.propose(size(small))


@pytest.mark.parametrize("name", SECONDS_A_PROPOSAL)
def test_what_takes_seconds_a_proposal_asks_its_model_alike_after_a_resumption(name: str) -> None:
    """The one quick test of such a sampler: rows that another one made, and one question."""
    rows = go_on(proposer("random", SETS["one objective"]), 0, 14)
    answers = []
    for _ in range(2):
        asked = proposer(name, SETS["one objective"])
        asked.replay(rows)
        answers.append(asked.propose(14))
    assert answers[0] == answers[1]
    assert answers[0].arch.id not in {row.architecture_id for row in rows}
    assert answers[0].system_attrs, "a model answered, and not chance"
