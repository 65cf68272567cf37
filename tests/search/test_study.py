"""What a finished study promises: measured where it matters, compared with baselines, files that do what they say."""

import json
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest
import torch

from compress.evaluate import evaluate_file
from search.config.study import read_config
from search.errors import ConfigError
from search.latency.measuring import PREDICTED
from search.latency.predictors import LEAST
from search.main_loop import launch
from search.objectives import front
from search.report.comparison import Outcome
from search.report.page import write_report
from search.report.summary import summarise
from search.report.telling import study_text, study_tree, top_rows
from search.shipping.export import write_export
from search.state.check import check
from search.state.ledger import Ledger
from search.state.recorded import Recorded, load_study
from search.state.weights import stored_network
from search.watch import Watch
from tests.search.finished_study import OVERRIDES, TINY, Finished

LATENCY = "latency_ms@formula"


@pytest.fixture(scope="module")
def recorded(finished: Finished) -> Recorded:
    return load_study("tiny", finished.db)


def test_the_study_is_done_and_its_database_is_sound(finished: Finished, recorded: Recorded) -> None:
    assert recorded.study.state == "done"
    assert check(finished.db) == []


def test_all_trials_were_tried_and_none_twice(finished: Finished, recorded: Recorded) -> None:
    assert Counter(trial.origin for trial in recorded.trials) == {"search": 12, "random": 12}
    ids = [trial.architecture_id for trial in recorded.trials]
    assert len(set(ids)) == len(ids)
    assert [t.number for t in recorded.trials] == sorted(t.number for t in recorded.trials)


def test_trials_are_judged_by_the_images_asked_for_and_what_is_trained_on_by_all(
    finished: Finished, recorded: Recorded
) -> None:
    judged = {e.n for trial in recorded.trials for e in trial.evaluations}
    trained = {e.n for v in recorded.variants for e in v.evaluations if e.split == "validation"}
    assert judged == {64} and trained == {len(finished.config.task.load().validation.y)} != judged


def test_calibration_trials_are_measured_and_most_others_predicted(finished: Finished, recorded: Recorded) -> None:
    search = [trial for trial in recorded.trials if trial.origin == "search"]
    calibration = finished.config.search.calibration
    assert {trial.kinds[LATENCY] for trial in search[:calibration]} == {"simulated"}
    assert {trial.kinds[LATENCY] for trial in recorded.trials if trial.origin == "random"} <= {"predicted", "simulated"}
    assert any(trial.kinds[LATENCY] == "predicted" for trial in recorded.trials)


def test_what_was_predicted_before_a_measurement_stands_beside_it(finished: Finished, recorded: Recorded) -> None:
    rows = [m.measurement for m in recorded.measurements if m.architecture_id and m.variant_id is None]
    told = [[float(m.details[name]) for name in PREDICTED] for m in rows if "predicted_ms" in m.details]
    assert len(told) == sum(len(pairs) for pairs in summarise(recorded).predictions.values())
    assert all(low <= value <= high for value, low, high in told)
    first = [m for m in rows if m.metric == "latency_ms"][:LEAST]
    assert first and not any("predicted_ms" in m.details for m in first)


def measured_ms(recorded: Recorded) -> dict[str, float]:
    """Measured latency of architectures (not of files of winners)."""
    rows = [m for m in recorded.measurements if m.variant_id is None and m.measurement.metric == "latency_ms"]
    return {m.architecture_id: m.measurement.value for m in rows if m.architecture_id}


def test_at_most_as_many_architectures_are_measured_as_was_allowed(finished: Finished, recorded: Recorded) -> None:
    rows = [m for m in recorded.measurements if m.variant_id is None and m.measurement.metric == "latency_ms"]
    assert len(rows) <= finished.config.search.exports


def test_nothing_enters_the_front_by_a_prediction(recorded: Recorded) -> None:
    on_front = top_rows(recorded, 99, only_front=True)
    assert on_front
    assert {row[f"{LATENCY} is"] for row in on_front} == {"simulated"}
    known = measured_ms(recorded)
    search = [t for t in recorded.trials if t.origin == "search"]
    measured = [t for t in search if t.architecture_id in known]
    best = front([(t.values["loss"], known[t.architecture_id]) for t in measured])
    assert {row["trial"] for row in on_front} == {measured[i].number for i in best}


def test_the_search_is_compared_with_random_networks_and_a_hand_made_one(recorded: Recorded) -> None:
    baselines = [v for v in recorded.variants if v.role == "baseline"]
    assert {v.config["name"] for v in baselines} == {"hand-made", "random search"}
    for name in ("hand-made", "random search"):
        steps = [v.step for v in baselines if v.config["name"] == name]
        assert steps[1:] == ["distill", "prune", "quantize"]  # the same recipe as the winner's
    text = study_text(recorded)
    assert "Against the best of as many random networks:" in text
    assert "Against the hand-made network:" in text


def test_one_model_is_shipped_and_test_images_are_read_once_for_the_chosen(recorded: Recorded) -> None:
    (shipped,) = [v for v in recorded.variants if v.is_shipped]
    assert shipped.role == "winner"
    asked = [v for v in recorded.variants if any(e.split == "test" for e in v.evaluations)]
    assert shipped in asked
    others = [v for v in asked if v is not shipped]
    assert all(v.role == "baseline" or v.trial_id == shipped.trial_id for v in others)
    assert len([v for v in others if v.role == "baseline"]) == 2
    assert len([v for v in others if v.role == "winner"]) <= 1  # the other precision
    (read,) = [event for event in recorded.events if event.kind == "test_read"]
    assert f"for {len(asked)} networks" in read.message


def test_every_step_says_why_it_was_kept_or_not(recorded: Recorded) -> None:
    for variant in recorded.variants:
        assert variant.verdict in ("start", "accepted", "rejected")
        assert variant.verdict == "start" or variant.reason
        if variant.role != "teacher" and variant.model:
            metrics = {m.metric: m.value for m in variant.measurements}
            assert metrics["latency_ms"] > 0 and metrics["size_bytes"] > 0 and metrics["params"] > 0


def test_exported_files_are_as_accurate_as_their_card_says(finished: Finished, tmp_path: Path) -> None:
    with Ledger.open(finished.db, create=False) as ledger:
        paths = write_export(ledger, "tiny", tmp_path / "out")
    card = json.loads((tmp_path / "out/card.json").read_text())
    assert {path.name for path in paths} == {*card["files"], "card.json"}
    assert {file["precision"] for file in card["files"].values()} == {"float32", "int8"}
    assert card["shipped"] in card["files"]
    test = finished.config.task.load().read_test()
    for name, file in card["files"].items():
        found = evaluate_file(tmp_path / "out" / name, test)
        assert found.n == file["quality"]["test accuracy"]["images"] == len(test.y)
        assert found.accuracy == file["quality"]["test accuracy"]["value"]
        assert found.loss == pytest.approx(file["quality"]["test loss"]["value"], abs=1e-4)
        assert (tmp_path / "out" / name).stat().st_size >= file["costs"]["size_bytes"]["value"] > 1000
    assert not list((tmp_path / "out").glob("*.partial"))


def test_the_teacher_is_trained_on_and_kept_with_its_weights(finished: Finished, recorded: Recorded) -> None:
    (teacher,) = [variant for variant in recorded.variants if variant.role == "teacher"]
    assert (teacher.step, dict(teacher.config)) == ("train", {"epochs": 1})
    assert {e.fidelity for e in teacher.evaluations} == {"alone"}
    taught = [v for v in recorded.variants if v.step == "distill" and v.role == "winner"]
    assert all("teacher" in {parent.role for parent in variant.parents} for variant in taught)
    with Ledger.open(finished.db, create=False) as ledger:
        assert stored_network(ledger.store, teacher)(torch.zeros(1, 1, 8, 8)).shape == (1, 10)


def test_the_report_is_one_file_that_tells_the_story(finished: Finished, tmp_path: Path) -> None:
    from search.state.database import connect

    path = write_report(connect(finished.db, read_only=True), "tiny", tmp_path / "tiny.html")
    page = path.read_text()
    assert "hand-made network" in page and "random networks" in page and "<svg" in page
    assert 'src="http' not in page and 'href="http' not in page  # nothing is loaded from elsewhere


def test_the_story_as_json_has_the_numbers_of_the_text(recorded: Recorded) -> None:
    tree = json.loads(json.dumps(study_tree(recorded)))
    assert tree["v"] == 1
    (shipped,) = [model for model in tree["models"] if model["is_shipped"]]
    assert shipped["test_accuracy"]["low"] < shipped["test_accuracy"]["value"] < shipped["test_accuracy"]["high"]
    assert {c["outcome"] for c in tree["comparisons"]} <= set(get_args(Outcome))
    assert all(c["sentence"] in study_text(recorded) for c in tree["comparisons"])


def test_a_finished_study_is_not_run_again(finished: Finished, recorded: Recorded) -> None:
    with Ledger.open(finished.db, create=False) as ledger:
        study = launch(finished.config, ledger, Watch(quiet=True))
    assert study.record.state == "done"
    after = load_study("tiny", finished.db)
    assert after.trials == recorded.trials
    assert after.variants == recorded.variants
    assert after.measurements == recorded.measurements


def test_an_edited_study_is_refused_with_the_difference(finished: Finished) -> None:
    edited = read_config(TINY, [*OVERRIDES, "search.trials=13"])
    with Ledger.open(finished.db, create=False) as ledger, pytest.raises(ConfigError) as refused:
        launch(edited, ledger)
    assert refused.value.exit_code == 3
    assert "search.trials: 12 -> 13" in str(refused.value)
