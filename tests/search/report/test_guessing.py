"""A shipped network that may be guessing is said to be, wherever its accuracy is told."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch

from search.report.comparison import best_shipped, models
from search.report.page import report_html
from search.report.telling import study_text, study_tree
from search.state.facts import record_facts
from search.state.ledger import Ledger
from search.state.recorded import Event, Recorded, load_study
from search.state.records import COMMONEST
from spaces.tasks.data import Split
from tests.search.recorded_study import record_study
from tests.toy_task import toy_data

SAID = "Not shown to be better than guessing"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    path = tmp_path_factory.mktemp("guessing") / "lathe.db"
    record_study(str(path))
    return load_study("digits-cpu", str(path))


def where_guessing_is_right(done: Recorded, share: float) -> Recorded:
    event = Event(9999, datetime.now(UTC), "info", COMMONEST, "", {"class": "walk", "share": share, "n": 359})
    return replace(done, events=(*done.events, event))


def test_a_shipped_network_that_may_be_guessing_is_said_to_be_everywhere(done: Recorded) -> None:
    shipped = best_shipped(models(done))
    assert shipped is not None and shipped.accuracy is not None
    poor = where_guessing_is_right(done, shipped.accuracy.low + 0.001)
    for told in (study_text(poor), report_html(poor), study_tree(poor)["guessing"]):
        assert SAID in told and "walk" in told and "of the 359 validation examples" in told
    better = where_guessing_is_right(done, shipped.accuracy.low - 0.001)
    for told in (study_text(better), report_html(better), study_tree(better)["guessing"], study_text(done)):
        assert SAID not in told


def test_what_guessing_is_worth_is_recorded_once_of_the_class_that_training_sees_most(tmp_path: Path) -> None:
    data = toy_data()
    labels = torch.tensor([2] * 100 + [1] * 28)
    data = replace(data, train=Split(data.train.x, labels), validation=Split(data.validation.x, labels[60:124]))
    with Ledger.open(str(tmp_path / "lathe.db")) as ledger:
        study = ledger.open_study("a", {"study": "a"}, "d" * 64, {}, seed=0)
        for _ in range(2):
            record_facts(ledger, study.id, data)
        assert ledger.event_data(study.id, COMMONEST) == [{"class": "picture 2", "share": 40 / 64, "n": 64}]
