"""Samplers of our own: an answer that serves several questions is the same after a resume, and made once."""

import numpy as np
import optuna
import pytest

from search.objectives import Objective
from search.propose import Proposer
from search.samplers.problem import Problem
from search.samplers.surrogate import sampler
from search.state.records import TrialRecord
from spaces.counts import count
from tests.contracts.small_spaces import space_of
from tests.contracts.test_samplers import row

SPACE = space_of(("mbconv", "kan"))
OBJECTIVES = (Objective("loss"), Objective("latency_ms", device="here"))
FROM, EACH, TRIALS = 24, 5, 44  # a batch of five from the 24th finished trial on


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """After how many finished trials the sampler was asked for an answer, each time."""
    asked: list[int] = []
    propose = sampler.propose

    def counted(problem: Problem, rows: np.ndarray, values: np.ndarray, seed: int, together: int) -> np.ndarray:
        asked.append(len(rows))
        return propose(problem, rows, values, seed, together)

    monkeypatch.setattr(sampler, "batch", lambda done: EACH if done >= FROM else 1)
    monkeypatch.setattr(sampler, "propose", counted)
    return asked


def proposer() -> Proposer:
    return Proposer(SPACE, OBJECTIVES, "surrogate", 0, {}, weight_bytes=4)


def go_on(asked: Proposer, first: int, last: int) -> list[TrialRecord]:
    """Trials `first` to `last`, evaluated by a formula that fails for the eighth."""
    found = []
    for number in range(first, last):
        proposal = asked.propose(number)
        counts = count(proposal.arch)
        values = {"loss": 1e3 / counts.params, "latency_ms@here": counts.macs / 1e6}
        told = None if number == 28 else values
        asked.tell(proposal, told)
        found.append(row(number, proposal, told))
    return found


def test_one_answer_serves_a_batch(fits: list[int]) -> None:
    go_on(proposer(), 0, TRIALS)
    assert fits == [*range(FROM), 24, 29, 34, 39]


@pytest.mark.parametrize("broken_after", [25, 29, *(pytest.param(n, marks=pytest.mark.slow) for n in (28, 30, 36))])
def test_a_study_resumed_within_a_batch_goes_on_as_the_unbroken_one(fits: list[int], broken_after: int) -> None:
    unbroken = go_on(proposer(), 0, TRIALS)
    resumed = proposer()
    resumed.replay(unbroken[:broken_after])
    assert go_on(resumed, broken_after, TRIALS) == unbroken[broken_after:]


def test_a_proposal_does_not_read_all_trials_of_optuna(monkeypatch: pytest.MonkeyPatch) -> None:
    def unread(*_: object, **__: object) -> None:
        raise AssertionError("ten thousand trials take milliseconds to read, at every proposal")

    monkeypatch.setattr(optuna.Study, "get_trials", unread)
    go_on(proposer(), 0, FROM)


def test_an_answer_that_serves_a_batch_forgets_what_was_proposed(fits: list[int]) -> None:
    asked = proposer()
    go_on(asked, 0, FROM + 1)
    memory = asked.problem().memory
    (left,) = memory.values()
    go_on(asked, FROM + 1, FROM + 4)
    (later,) = memory.values()
    assert len(left) - 3 == len(later)
