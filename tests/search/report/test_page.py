"""The report: one file that needs nothing else, holds the numbers, and shows names as text."""

import re
import shutil
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from search.config.source import read_source
from search.errors import NotFound
from search.report.axes import axis, log_ticks, place_label, round_ticks
from search.report.charts import calibration_svg, front_svg
from search.report.comparison import models
from search.report.page import config_yaml, report_html, write_report
from search.report.rungs import KIND
from search.report.summary import summarise
from search.report.telling import status_rows, study_text, study_tree
from search.state.ledger import Ledger
from search.state.recorded import Recorded, load_study, read_lines
from search.state.tables import connect
from tests.search.recorded_study import CONFIG, record_study

SVG = "{http://www.w3.org/2000/svg}"


class Reading(HTMLParser):
    """What a page would load, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "iframe", "img", "object", "embed", "base"):
            self.loads.append(tag)
        self.loads += [f"{name}={value}" for name, value in attrs if name in ("src", "href", "xlink:href", "srcset")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass  # shapes of a chart

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "lathe.db"
    record_study(str(path))
    record_study(str(path), "half", until="search")
    return str(path)


@pytest.fixture(scope="module")
def done(database: str) -> Recorded:
    return load_study("digits-cpu", database)


@pytest.fixture(scope="module")
def page(done: Recorded) -> str:
    return report_html(done)


def test_the_report_loads_nothing_and_every_element_is_closed(page: str) -> None:
    reading = Reading(page)
    assert reading.loads == [] and reading.open == []
    assert not re.search(r"@import|url\(", page)
    assert "$" not in page.replace("${", "")


def test_the_report_holds_the_numbers_of_what_was_shipped(page: str) -> None:
    text = Reading(page).text
    for expected in ("97.0 %", "0.0782 ms", "62 kB", "of 360 test examples", "hand-made network", "1.80 times as fast"):
        assert expected in text


def test_the_report_holds_every_step_with_verdict_and_reason(page: str, done: Recorded) -> None:
    text = Reading(page).text
    for model in models(done):
        assert model.reason in text
    assert text.count("rejected") >= 4


def test_the_report_says_where_with_what_and_how_again(page: str) -> None:
    text = Reading(page).text
    for expected in (
        "Example CPU @ 2.0 GHz",
        "torch",
        "2.13.0",
        "search launch space.yaml",
        "d" * 64,
        "sampler: nsga2",
    ):
        assert expected in text


def test_the_report_and_the_command_say_which_network_was_stopped_and_why(done: Recorded) -> None:
    said = "Trial 7: loss 0.2 with the shared weights, 0.1 after 3 of 9 epochs; stopped, for at its best it is worse"
    raced = replace(done, events=(*done.events, replace(done.events[-1], kind=KIND, message=said, data={"trial": 7})))
    assert said in Reading(report_html(raced)).text
    assert said in study_text(raced)
    assert study_tree(raced)["rungs"] == [{"trial": 7}]
    assert "short training" not in Reading(report_html(done)).text + study_text(done)


def test_names_and_reasons_are_shown_as_text(done: Recorded) -> None:
    nasty = "<script>alert(1)</script> & \"'"
    variants = tuple(replace(v, reason=nasty) for v in done.variants)
    study = replace(done.study, name=nasty, versions={nasty: nasty}, config=dict(done.study.config) | {"study": nasty})
    reading = Reading(report_html(replace(done, study=study, variants=variants)))
    assert reading.loads == []
    assert nasty in reading.text


def test_an_unfinished_study_is_reported_as_far_as_it_is(database: str) -> None:
    text = Reading(report_html(load_study("half", database))).text
    assert "Nothing is shipped yet" in text and "Search: 40 of 60" in text
    assert "No winner has been developed yet" in text


def test_a_running_study_that_is_not_heard_of_names_the_way_on(database: str) -> None:
    """A killed process cannot say that it is gone: `search status` and the dashboard do."""
    engine = connect(database, read_only=True)
    lines = read_lines(engine)
    engine.dispose()
    heard = next(line.progress.at for line in lines if line.study.name == "half" and line.progress)
    soon, later = (
        {row["study"]: row["progress"] for row in status_rows(lines, heard + timedelta(minutes=minutes))}
        for minutes in (2, 7)
    )
    assert soon["half"] == "Search: 40 of 60"
    assert later["half"] == "Search: 40 of 60; nothing heard for 7 min. If it was killed: `search resume half`"
    assert soon["digits-cpu"] == later["digits-cpu"] == "Done"


def test_a_study_that_failed_says_why(database: str, tmp_path: Path) -> None:
    """In the report, the terminal and the dashboard alike; the events have it, where nobody looks first."""
    copy = str(tmp_path / "lathe.db")
    shutil.copy(database, copy)
    with Ledger.open(copy) as ledger:
        study = ledger.study("half")
        ledger.event(study.id, "error", "failed", "NonFiniteLoss: the loss is <nan>. Lower `supernet.lr`.")
        ledger.set_state(study.id, "failed")
    failed = load_study("half", copy)
    said = "Failed in: Search: 40 of 60. NonFiniteLoss: the loss is <nan>. Lower `supernet.lr`."
    assert said in Reading(report_html(failed)).text
    assert study_text(failed).startswith(f"study half: {said}\n")


def test_writing_leaves_one_complete_file_and_replaces_the_old_one(database: str, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "report.html"
    engine = connect(database, read_only=True)
    for _ in range(2):
        assert write_report(engine, "digits-cpu", out) == out
    with pytest.raises(NotFound, match="Did you mean .digits-cpu"):
        write_report(engine, "digits", out)
    engine.dispose()
    assert [path.name for path in out.parent.iterdir()] == ["report.html"]
    assert out.read_text().rstrip().endswith("</html>")


def test_the_configuration_reads_back_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(config_yaml(CONFIG))
    assert read_source(file).tree == CONFIG


# The picture of the front


def test_the_front_is_one_well_formed_picture_with_a_mark_for_every_network(done: Recorded) -> None:
    summary = summarise(done)
    root = ElementTree.fromstring(front_svg(summary, models(done)))
    titles = [element.text or "" for element in root.iter(f"{SVG}title")]
    assert len(titles) == len(summary.points) + 3  # shipped and two baselines
    shapes = [c.get("class") for c in root.iter(f"{SVG}circle")]
    hollow = sum(not p.is_measured for p in summary.points)
    assert shapes.count("hollow") == hollow + 2  # two of them in the legend
    texts = ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]
    assert "shipped: trial 28, float32" in texts and "limit 0.25" in texts
    assert any("Latency on here (ms)" in text for text in texts)


def test_every_mark_of_the_front_lies_inside_the_picture(done: Recorded) -> None:
    root = ElementTree.fromstring(front_svg(summarise(done), models(done), width=600, height=400))
    for circle in root.iter(f"{SVG}circle"):
        assert 0 < float(circle.get("cx", "")) < 600 and 0 < float(circle.get("cy", "")) < 400


def test_a_study_with_one_objective_is_drawn_over_its_parameters(done: Recorded) -> None:
    config = dict(done.study.config) | {"objectives": {"loss": "min"}}
    only = summarise(replace(done, study=replace(done.study, config=config)))
    assert "Parameters" in front_svg(only, models(done))


def test_a_study_without_trials_says_so(done: Recorded) -> None:
    assert "No trial is finished yet" in front_svg(summarise(replace(done, trials=())))


def test_the_calibration_shows_every_pair(done: Recorded) -> None:
    pairs = summarise(done).predictions["latency_ms@here"]
    root = ElementTree.fromstring(calibration_svg(pairs, "latency_ms@here"))
    assert len(list(root.iter(f"{SVG}circle"))) == len(pairs)


# Axes


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.037, 0.21), (-3.0, 7.0), (1200.0, 250_000.0), (0.99, 1.01)])
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    ticks = round_ticks(low, high)
    assert 2 <= len(ticks) <= 7
    assert all(low <= tick <= high and len(f"{tick:g}") <= 7 for tick in ticks)


def test_log_ticks_are_few_and_round_over_any_span() -> None:
    assert log_ticks(0.04, 0.9) == (0.05, 0.1, 0.2, 0.5)
    assert log_ticks(1.0, 1e6)[:2] == (1.0, 10.0)


def test_an_axis_turns_to_logs_where_values_span_much_and_keeps_all_inside() -> None:
    wide, narrow = axis([0.05, 2.0], 0, 100), axis([0.1, 0.2], 0, 100)
    assert wide.is_log and not narrow.is_log
    assert 0 < wide(0.05) < wide(0.3) < wide(2.0) < 100
    same = axis([3.0, 3.0], 0, 100)
    assert 0 < same(3.0) < 100


def test_an_interval_down_to_nothing_leaves_the_values_their_room(done: Recorded) -> None:
    summary = summarise(done)
    wide = [
        replace(p, values={n: replace(q, low=q.value * 1e-6) if n == "loss" else q for n, q in p.values.items()})
        for p in summary.points
    ]
    drawn = [
        [float(mark.get("cy", "0")) for mark in ElementTree.fromstring(front_svg(each)).iter(f"{SVG}circle")]
        for each in (replace(summary, points=tuple(wide)), summary)
    ]
    spread, before = (max(at) - min(at) for at in drawn)
    assert spread > before / 4


def test_a_label_keeps_clear_of_what_is_there() -> None:
    taken = [(100.0, 80.0, 300.0, 120.0)]  # all to the right
    *_, box = place_label("hand-made", 90.0, 100.0, taken, (0.0, 0.0, 400.0, 200.0))
    assert box[2] <= 100.0 or box[3] <= 80.0 or box[1] >= 120.0
