"""What a study found: best known values, measured fronts, coverage, and whether the search won."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from search.report.comparison import Model, chains, compare, difference, models, rivals
from search.report.page import report_html
from search.report.progress import progress_of
from search.report.summary import Quantity, limits_of, summarise
from search.report.telling import study_text
from search.state.recorded import Recorded, load_study, pulse, read_lines, read_recorded
from search.state.tables import connect
from tests.search.recorded_study import record_study

LATENCY = "latency_ms@here"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("summary") / "lathe.db"
    record_study(str(path))
    record_study(str(path), "half", until="search", device="pi")
    return str(path)


@pytest.fixture(scope="module")
def done(database: str) -> Recorded:
    return load_study("digits-cpu", database)


def test_a_latency_measured_later_replaces_the_predicted_one(done: Recorded) -> None:
    told = {t.number: t for t in done.trials if t.kinds.get(LATENCY) == "predicted"}
    later = [p for p in summarise(done).points if p.number in told and p.is_measured]
    assert later
    for point in later:
        assert point.values[LATENCY].kind == "measured"
        assert point.values[LATENCY].value == pytest.approx(told[point.number].values[LATENCY] * 1.06)


def test_the_front_holds_measured_points_within_the_limits_that_nothing_measured_beats(done: Recorded) -> None:
    summary = summarise(done)
    limit = summary.limits[LATENCY]
    able = [
        (p.values["loss"].value, p.values[LATENCY].value)
        for p in summary.points
        if p.origin == "search" and p.values[LATENCY].kind == "measured" and p.values[LATENCY].high <= limit
    ]
    expected = {one for one in able if not any(a <= one[0] and b <= one[1] and (a, b) != one for a, b in able)}
    assert {(p.values["loss"].value, p.values[LATENCY].value) for p in summary.front} == expected
    assert all(p.origin == "random" for p in summary.random_front)


def test_a_measured_point_that_breaks_a_limit_is_named_and_stays_off_the_front(done: Recorded) -> None:
    fastest = min((p.values[LATENCY] for p in summarise(done).points if p.is_measured), key=lambda told: told.high)
    config = dict(done.study.config) | {"limits": {LATENCY: fastest.high}}
    summary = summarise(replace(done, study=replace(done.study, config=config)))
    assert {p.values[LATENCY].value for p in summary.front} == {fastest.value}
    assert any(p.limits_broken == (LATENCY,) for p in summary.points)


def test_a_device_recorded_under_another_name_is_the_studys_only_device(database: str) -> None:
    """Both studies measured on one machine, which the database knows by the name the first gave it."""
    points = summarise(load_study("half", database)).points
    assert {m.measurement.device for m in load_study("half", database).measurements} == {"here"}
    measured = [p for p in points if p.is_measured]
    assert measured and all(p.values["latency_ms@pi"].has_interval for p in measured)


def test_limits_are_read_as_people_write_them() -> None:
    assert limits_of({"limits": {"params": "200k", "size": "400kB", LATENCY: 0.5}}) == {
        "params": 200_000.0,
        "size_bytes": 400_000.0,
        LATENCY: 0.5,
    }


def test_coverage_grows_with_the_front_and_its_box_holds_both(done: Recorded) -> None:
    summary = summarise(done)
    cover = summary.coverage
    assert cover is not None
    assert 0 < cover.random < cover.search < 1
    for point in (*summary.front, *summary.random_front):
        for name in ("loss", LATENCY):
            assert cover.ideal[name] <= point.values[name].value < cover.reference[name]


def test_a_study_whose_exports_were_used_up_says_why_random_networks_are_missing(done: Recorded) -> None:
    known = {trial.architecture_id for trial in done.trials if trial.origin == "random"}
    predicted = tuple(
        replace(trial, kinds={name: "predicted" if name == LATENCY else "exact" for name in trial.kinds})
        if trial.origin == "random"
        else trial
        for trial in done.trials
    )
    few = replace(
        done,
        study=replace(done.study, config={**done.study.config, "search": {"trials": 60, "exports": 20}}),
        trials=predicted,
        measurements=tuple(m for m in done.measurements if m.architecture_id not in known),
    )
    said = "the search used up `search.exports` (20), so none of them was measured"
    for told in (study_text(few), report_html(few)):
        assert said in told and "-o search.exports=28" in told
        assert said not in study_text(done)
    unfinished = replace(few, study=replace(few.study, state="running"))
    assert said not in study_text(unfinished)


def test_random_networks_that_break_the_limits_are_not_blamed_on_the_exports(done: Recorded) -> None:
    tight = {**done.study.config, "limits": {"params": 1}}
    told = study_text(replace(done, study=replace(done.study, config=tight)))
    assert "keeps every limit" in told and "search.exports=" not in told


def test_predictions_are_paired_with_what_was_measured_later(done: Recorded) -> None:
    pairs = summarise(done).predictions[LATENCY]
    assert len(pairs) >= 3
    assert all(measured.value == pytest.approx(told.value * 1.06) for told, measured in pairs)


def test_a_failed_trial_is_no_point(done: Recorded) -> None:
    summary = summarise(done)
    assert [trial.number for trial in summary.failed] == [120]
    assert 120 not in {point.number for point in summary.points}


# Models


def test_a_chain_holds_the_steps_of_one_winner_in_order_rejected_ones_too(done: Recorded) -> None:
    steps = [[m.step for m in chain] for chain in chains(models(done)).values()]
    assert steps == [["inherit", "distill", "prune", "quantize"]] * 2


def test_a_rejected_step_is_no_rival(done: Recorded) -> None:
    found = rivals(models(done))
    assert [(m.name, m.step) for m in found] == [
        ("hand-made network", "train"),
        ("best of as many random networks", "train"),
    ]


def test_a_clearly_faster_network_won_though_the_images_cannot_tell_the_accuracies_apart(done: Recorded) -> None:
    first = compare(models(done))[0]
    assert first.outcome == "won" and first.split == "test"
    assert first.speedup is not None and first.speedup[0] == pytest.approx(0.141 / 0.0782)
    assert "too few to tell them apart" in first.sentence and "1.80 times as fast" in first.sentence


def with_hand_made(done: Recorded, accuracy: float, off: float, **changes: Any) -> list[Model]:
    """The models, where the hand-made ones have other values, and on the test part this accuracy, known to `off`."""

    def changed(model: Model) -> Model:
        if model.name != "hand-made network":
            return model
        right = Quantity(accuracy, accuracy - off, accuracy + off, "exact", 360)
        return replace(model, test_accuracy=right if model.test_accuracy else None, **changes)

    return [changed(model) for model in models(done)]


@pytest.mark.parametrize(
    ("latency", "accuracy", "outcome"),
    [(0.05, 0.97, "lost"), (0.05, 0.60, "trade"), (0.0779, 0.97, "even"), (0.20, 0.97, "won"), (0.05, 0.995, "lost")],
)
def test_the_outcome_says_what_the_intervals_allow(
    done: Recorded, latency: float, accuracy: float, outcome: str
) -> None:
    ms = Quantity(latency, latency * 0.99, latency * 1.01, "measured")
    assert compare(with_hand_made(done, accuracy, 0.02, latencies={LATENCY: ms}))[0].outcome == outcome


@pytest.mark.parametrize(("accuracy", "epochs", "is_said"), [(0.99, 30, True), (0.99, 0, False), (0.9, 30, False)])
def test_who_lost_to_a_network_that_was_trained_for_longer_is_told_so(
    done: Recorded, accuracy: float, epochs: int, is_said: bool
) -> None:
    first = compare(with_hand_made(done, accuracy, 0.005, config={"epochs": epochs}))[0]
    assert (f"the hand-made network for {epochs}: raise `compress.alone_epochs`" in first.sentence) == is_said


def test_the_difference_of_two_shares_agrees_with_newcombes_example() -> None:
    """Newcombe 1998, table II (a): 56/70 against 48/80 is .2 with .0524 to .3339 by method 10."""
    one, other = Quantity(0.8, 0.6916, 0.8770, "exact"), Quantity(0.6, 0.4904, 0.7004, "exact")
    assert difference(one, other) == pytest.approx((20.0, 5.24, 33.39), abs=0.05)


# Progress and reading


def test_progress_names_the_stage_and_how_far_it_is(database: str) -> None:
    engine = connect(database, read_only=True)
    half, whole = read_lines(engine)
    engine.dispose()
    assert (half.study.name, half.trials, half.failed) == ("half", {"search": 40}, 0)
    progress = progress_of(half.study, half.progress)
    assert progress.sentence == "Search: 40 of 60"
    assert progress.share == pytest.approx(2 / 3)
    assert progress_of(whole.study, whole.progress).share == 1.0


def test_a_stage_entered_after_the_newest_row_has_not_begun(database: str) -> None:
    half = load_study("half", database)
    progress = progress_of(replace(half.study, stage="winners"), half.progress)
    assert (progress.title, progress.share) == ("Winners", 0.0)


def test_the_pulse_changes_with_every_row_and_only_then(tmp_path: Path) -> None:
    from search.state.ledger import Ledger

    path = str(tmp_path / "lathe.db")
    study = record_study(path, until="search")
    engine = connect(path, read_only=True)
    first = pulse(engine, study.name)
    assert pulse(engine, study.name) == first
    with Ledger.open(path) as ledger:
        ledger.event(study.id, "info", "note", "something happened")
    assert pulse(engine, study.name) != first
    assert [event.kind for event in read_recorded(engine, study.name).events][-1] == "note"
    engine.dispose()
