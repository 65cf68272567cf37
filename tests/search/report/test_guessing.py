"""A shipped network that may be guessing is said to be, wherever its accuracy is told."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import torch

from search.report.comparison import Model, Outcome, best_shipped, compare, models
from search.report.page import report_html
from search.report.summary import Quantity
from search.report.telling import study_text, study_tree
from search.state.facts import record_facts
from search.state.ledger import Ledger
from search.state.recorded import Event, Recorded
from search.state.records import COMMONEST
from spaces.tasks.data import Split
from tests.toy_task import toy_data

SAID = "Not shown to be better than guessing"


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


def test_no_win_is_claimed_for_a_network_that_may_be_guessing(done: Recorded) -> None:
    assert [c["outcome"] for c in study_tree(done)["comparisons"]] == ["won", "won"], "both would be won"
    assert "the search won" in study_tree(done)["coverage"]["sentence"]
    tree, page = study_tree(poor := where_guessing_is_right(done, 0.999)), report_html(poor)
    for told in (study_text(poor), page, json.dumps(tree)):
        assert "won," not in told and "the search won" not in told and "a trade" not in told
        assert "nothing can be concluded about either network until they learn the task" in told
        assert "Train longer, add examples, or search larger networks." in told
        assert "nothing can be concluded from that until networks learn the task" in told
    assert {c["outcome"] for c in tree["comparisons"]} == {"open"} <= set(get_args(Outcome))
    assert "Was it worth searching? Not known against the hand-made network" in page


def with_hand_made(done: Recorded, accuracy: float) -> list[Model]:
    """The models, where the hand-made ones are right on this share of the validation and test examples."""
    right = Quantity(accuracy, accuracy - 0.005, accuracy + 0.005, "exact", 5000)
    return [
        replace(m, accuracy=right, test_accuracy=right if m.test_accuracy else None)
        if m.name == "hand-made network"
        else m
        for m in models(done)
    ]


def test_a_network_that_may_be_guessing_has_lost_to_one_that_learned_more_however_fast_it_is(
    done: Recorded,
) -> None:
    shipped = best_shipped(models(done))
    assert shipped is not None and shipped.accuracy is not None
    guess = shipped.accuracy.low
    first = compare(with_hand_made(done, 0.999), guess)[0]
    assert first.outcome == "lost" and first.speedup is not None and first.speedup[0] > 1.5
    assert compare(with_hand_made(done, 0.999))[0].outcome == "trade", "where both have learned something"
    alike = compare(with_hand_made(done, shipped.accuracy.value), guess)[0]
    assert alike.outcome == "open" and "until the shipped network learns the task" in alike.sentence
    assert compare(with_hand_made(done, 0.2), guess - 0.01)[0].outcome == "won", "of one that learned, a win is told"


def test_what_guessing_is_worth_is_recorded_once_of_the_class_that_training_sees_most(tmp_path: Path) -> None:
    data = toy_data()
    labels = torch.tensor([2] * 100 + [1] * 28)
    data = replace(data, train=Split(data.train.x, labels), validation=Split(data.validation.x, labels[60:124]))
    with Ledger.open(str(tmp_path / "lathe.db")) as ledger:
        study = ledger.open_study("a", {"study": "a"}, "d" * 64, {}, seed=0)
        for _ in range(2):
            record_facts(ledger, study.id, data)
        assert ledger.event_data(study.id, COMMONEST) == [{"class": "picture 2", "share": 40 / 64, "n": 64}]
