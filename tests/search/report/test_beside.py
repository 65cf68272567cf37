"""Studies beside each other: fronts of what they would ship, one box, and what speaks against comparing."""

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest

from search.errors import UsageError
from search.report.beside import Beside, beside, remarks
from search.report.beside_page import beside_html, fronts_svg
from search.report.comparison import models
from search.report.costs import STOPPED
from search.report.page import report_html
from search.state.recorded import Event, Recorded, load_study
from tests.search.command_line import Call
from tests.search.recorded_study import record_study


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("beside") / "lathe.db")
    for name in ("first", "second"):
        record_study(path, name)
    record_study(path, "third", until="search")
    record_study(path, "phone", device="phone")
    return path


@pytest.fixture(scope="module")
def first(url: str) -> Recorded:
    return load_study("first", url)


def slower(recorded: Recorded, times: float, name: str) -> Recorded:
    """The same study, every latency of its files so many times as long."""
    variants = []
    for variant in recorded.variants:
        long = [
            replace(m, value=m.value * times, low=m.low * times, high=m.high * times) if m.metric == "latency_ms" else m
            for m in variant.measurements
        ]
        variants.append(replace(variant, measurements=tuple(long)))
    return replace(recorded, study=replace(recorded.study, name=name), variants=tuple(variants))


def dominates(one: Beside, other: Beside) -> bool:
    return one.share is not None and other.share is not None and one.share > other.share


def test_the_front_of_a_study_is_made_of_what_it_kept_as_files(first: Recorded) -> None:
    one, _ = beside([first, slower(first, 2, "slow")])
    kept = {
        f"{model.name}, {model.step}"
        for model in models(first)
        if model.role == "winner" and model.verdict != "rejected"
    }
    assert one.networks and {network.name for network in one.networks} <= kept
    losses = [network.values["loss"].value for network in one.networks]
    latencies = [network.values["latency_ms@here"].value for network in one.networks]
    assert losses == sorted(losses) and latencies == sorted(latencies, reverse=True)


def test_a_faster_study_covers_more_of_the_box_of_all_of_them(first: Recorded) -> None:
    fast, same, slow = beside(
        [first, replace(first, study=replace(first.study, name="same")), slower(first, 2, "slow")]
    )
    assert fast.share == same.share and dominates(fast, slow)


def test_what_speaks_against_a_comparison_is_said(url: str, first: Recorded) -> None:
    assert not remarks([first, load_study("second", url)])
    other = replace(first, study=replace(first.study, data_hash="e" * 64), devices=())
    said = " ".join(remarks([first, other, load_study("third", url)]))
    assert "different data" in said and "not measured on the same device" in said and "Not finished yet: third." in said


def test_studies_with_other_objectives_are_refused(url: str, first: Recorded) -> None:
    with pytest.raises(UsageError, match="latency_ms@here min, but phone for loss min, latency_ms@phone min"):
        beside([first, load_study("phone", url)])
    with pytest.raises(UsageError, match="takes two studies"):
        beside([first, first])


def test_the_picture_holds_every_network_of_every_front(first: Recorded) -> None:
    studies = [first, slower(first, 2, "a <slow> one")]
    found = beside(studies)
    root = ElementTree.fromstring(fronts_svg(studies, found))
    marks = [title.text or "" for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert len(marks) == sum(len(one.networks) for one in found)
    page = beside_html(studies)
    assert "a &lt;slow&gt; one" in page and "<slow>" not in page and "src=" not in page


def test_the_command_prints_a_row_a_study_and_writes_the_page(search: Call, url: str, tmp_path: Path) -> None:
    said = search("compare", "first", "second", "--db", url, "--out", tmp_path / "both.html")
    assert said.code == 0, said.err
    assert [line.split("\t")[0] for line in said.out.splitlines()[:3]] == ["study", "first", "second"]
    assert "<svg" in (tmp_path / "both.html").read_text()
    told = json.loads(search("compare", "first", "second", "--db", url, "--json").out)
    assert [one["name"] for one in told["studies"]] == ["first", "second"] and told["studies"][0]["networks"]
    assert search("compare", "first", "--db", url).code == 2
    missing = search("compare", "first", "secnd", "--db", url)
    assert missing.code == 4 and "second" in missing.err


def test_the_time_of_a_study_that_was_paused_is_that_of_all_its_runs(first: Recorded) -> None:
    paused = Event(0, first.study.created_at, "info", STOPPED, "", {"seconds": {"supernet": 20.0}, "peak_mb": 1000.0})
    broken = replace(first, study=replace(first.study, name="broken"), events=(paused, *first.events))
    whole, resumed = beside([first, broken])
    assert whole.seconds is not None and resumed.seconds == whole.seconds + 20.0
    assert "supernet 20" in report_html(broken) and "51 s, 1000 MB" in report_html(broken)
