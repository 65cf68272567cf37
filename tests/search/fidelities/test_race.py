"""Who is trained in short, who goes on, and what is recorded of it."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from compress.measurement import Measurement
from search.config.study import read_config
from search.fidelities.contenders import Prospect, contenders
from search.fidelities.fates import KIND, Fate, tell_fates
from search.fidelities.race import next_of, prospects, rivals
from search.fidelities.short import Rungs, begun, rungs, train_short
from search.fronts import measured_front
from search.latency.measuring import SCREENING
from search.report.summary import evaluation_of
from search.state.ledger import Ledger
from search.state.records import Evaluation, TrialRecord
from search.study import Study, architecture_record, open_study
from search.supernet.shared_weights import build_supernet
from search.watch import Watch
from spaces.space import sample
from tests.search.finished_study import TINY

NAME, LATENCY = "formula", "latency_ms@formula"
RACE = ("compress.keep=2", "compress.extra=2", "compress.steps.0.distill.epochs=3", "compress.alone_epochs=0")


@pytest.fixture
def study(tmp_path: Path) -> Iterator[Study]:
    with Ledger.open(str(tmp_path / "lathe.db")) as ledger:
        yield open_study(read_config(TINY, RACE), ledger, Watch(quiet=True))


def tried(study: Study, number: int, loss: float, latency_ms: float, off: float = 0.0, short: float = 0) -> TrialRecord:
    """A recorded trial that was measured; its loss is known to `off` either way; `short`: after a short training."""
    row = architecture_record(sample(study.space, random.Random(number)))
    values, losses = {"loss": loss, LATENCY: latency_ms}, [("supernet", loss)] + [("short", short)] * bool(short)
    trial = TrialRecord(
        number, row.id, {}, {}, values, dict.fromkeys(values, "exact"), architecture=row,
        evaluations=tuple(
            Evaluation("validation", "loss", value, value - off, value + off, 359, fidelity)  # type: ignore[arg-type]
            for fidelity, value in losses
        ),
    )  # fmt: skip
    found = Measurement("latency_ms", latency_ms, "ms", latency_ms, latency_ms, "measured", device=NAME)
    study.measured[row.id, NAME] = replace(found, details={"exporter": SCREENING})
    study.add(trial)
    return study.trials[-1]


def test_what_the_intervals_leave_open_is_a_candidate_behind_the_front(study: Study) -> None:
    fast, good = tried(study, 0, 0.50, 1.0, off=0.05), tried(study, 1, 0.30, 2.0, off=0.05)
    close = tried(study, 2, 0.38, 2.1, off=0.05)
    tried(study, 3, 0.60, 2.2, off=0.05)  # worse for sure
    front = measured_front(study, "search", SCREENING, 0)
    assert {trial.number for trial in front} == {fast.number, good.number}
    assert [trial.number for trial in contenders(study, front, 4)][2:] == [close.number]
    assert len(contenders(study, front, 1)) == 1


def test_a_network_that_cannot_reach_the_front_any_more_does_not_go_on(study: Study) -> None:
    """All fell alike, by half and by half again: the outlook is sharp, and the slow network's is worse than the end."""
    runners = [
        tried(study, number, loss, latency, short=loss / 2)
        for number, (loss, latency) in enumerate([(0.4, 1.0), (0.2, 2.0), (0.44, 3.0), (0.16, 4.0)])
    ]
    ended = {0: {"loss": 0.1}, 1: {"loss": 0.05}}
    where = prospects(study, runners, ended)
    assert rivals(2, where) == [0, 1]
    assert rivals(3, where) == []
    chosen = next_of(runners, ended, where)
    assert chosen is not None and chosen.number == 3
    assert next_of(runners, {**ended, 3: {"loss": 0.04}}, where) is None


def test_where_the_study_has_not_learned_what_short_is_worth_nobody_is_stopped(study: Study) -> None:
    runners = [tried(study, n, loss, 1.0 + n, short=loss / 2) for n, loss in enumerate((0.3, 0.6))]
    where = prospects(study, runners[:1], {}) | prospects(study, runners[1:], {})  # a pair each says nothing
    assert rivals(1, where) == [] == rivals(0, where)
    assert rivals(1, prospects(study, runners, {})) == [0], "two that began alike say that they go on alike"


def test_all_epochs_are_those_that_keep_pays_for(study: Study) -> None:
    assert rungs(study.config) == Rungs(epochs=1, of=3, candidates=4, budget=8, whole=4)
    for keep in range(1, 8):
        for share in (0.1, 0.33, 0.7):
            plan = rungs(read_config(TINY, (*RACE, f"compress.keep={keep}", f"compress.short={share}")))
            if plan is not None:
                spent = plan.candidates * plan.epochs + plan.finalists(plan.candidates) * (plan.whole - plan.epochs)
                assert keep < plan.candidates <= keep + 2 and spent <= keep * plan.whole


@pytest.mark.parametrize(
    "override",
    [
        "compress.steps.0.distill={epochs: 8, assistant: auto}",
        "compress.extra=0",
        "compress.keep=1",
        "compress.steps.0.distill.epochs=1",
        "compress.steps=[{prune: {epochs: 4}}]",
    ],
)
def test_a_study_without_a_rung_between_has_none(override: str) -> None:
    assert rungs(read_config(TINY, (*RACE, override))) is None


def test_a_short_training_is_recorded_once_and_gone_on_with(study: Study) -> None:
    trial, supernet = tried(study, 0, 2.0, 1.0), build_supernet(study.space, 0)
    teacher = supernet.extract(supernet.teachers(1, 0)[0])
    raced = train_short(trial, supernet, teacher, study, 1)
    [stored] = study.ledger.trials(study.id)
    assert [e.fidelity for e in stored.evaluations] == ["supernet", "short", "short"]
    assert train_short(stored, supernet, teacher, study, 1) is stored
    found = evaluation_of(stored.evaluations, "loss", "validation")
    assert found is not None and found.value == 2.0, "the front stays what shared weights say"
    begin, again = begun(raced, study), begun(stored, study)
    assert begin is not None and again is not None
    assert (begin.epochs, [getattr(step, "epochs", 0) for _, step in begin.left]) == (1, [2, 1, 0])
    for (name, one), (other, two) in zip(
        begin.network.state_dict().items(), again.network.state_dict().items(), strict=True
    ):
        assert name == other and torch.equal(one, two)


def test_how_far_each_went_is_told_once_with_its_evidence(study: Study) -> None:
    one, two = (tried(study, n, 0.4, 1.0 + n, short=0.2) for n in range(2))
    plan = rungs(study.config)
    assert plan is not None
    fates = [
        Fate(one, None, {"loss": 0.1}, ()),
        Fate(two, Prospect((0.12, 2.0), (0.15, 2.0), (0.2, 2.0)), None, (0,)),
    ]
    for _ in range(2):
        tell_fates(study, fates, plan)
    rows = study.ledger.event_data(study.id, KIND)
    assert [(row["trial"], row["full"], row["stopped_by"]) for row in rows] == [(0, 0.1, []), (1, None, [0])]
    assert rows[1]["foretold"] == [0.12, 0.15, 0.2]
