"""The dashboard on real recorded studies, and on databases that are empty, missing or broken."""

import json
import os
import re
import shutil
import sqlite3
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import dashboard.app
from dashboard.charts import front_chart
from dashboard.queries import StudyView
from dashboard.run import command
from search.report.comparison import chains, models
from search.report.summary import summarise
from search.state.ledger import Ledger
from search.state.recorded import load_study
from search.state.records import COMMONEST
from tests.search.recorded_study import record_study


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The dashboard of `tmp_path/lathe.db`, not run yet."""
    monkeypatch.setattr(sys, "argv", ["app.py", str(tmp_path / "lathe.db")])
    return AppTest.from_file(dashboard.app.__file__, default_timeout=60)


@pytest.fixture(scope="module")
def recorded_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    record_study(str(folder / "lathe.db"))
    record_study(str(folder / "lathe.db"), "half", until="search")
    return folder


@pytest.fixture
def database(recorded_once: Path, tmp_path: Path) -> str:
    """A copy of a database with a finished and a running study, and of its files."""
    shutil.copytree(recorded_once, tmp_path, dirs_exist_ok=True)
    return str(tmp_path / "lathe.db")


def texts(app: AppTest) -> str:
    """All words on the page."""
    kinds = (app.header, app.subheader, app.info, app.markdown, app.caption, app.metric)
    return "\n".join(
        f"{element.label if element.type == 'metric' else ''} {element.value}" for k in kinds for element in k
    )


def test_the_list_shows_every_study_with_state_and_progress(app: AppTest, database: str) -> None:
    app.run()
    assert not app.exception
    linked = [f"[{name}](?study={name})" for name in ("half", "digits-cpu")]
    assert [element.value for element in app.subheader] == [*linked, "Beside each other"]
    assert [(m.label, m.value) for m in app.metric] == [
        ("Trials", "40"), ("Failed trials", "0"),
        ("Trials", "60"), ("Failed trials", "1"),
    ]  # fmt: skip
    assert "**0.0782 ms [0.077, 0.0798]**, **62 kB**" in texts(app)
    assert "Search: 40 of 60" in "\n".join(str(element.proto) for element in app.get("progress"))


def test_a_study_that_failed_says_why_and_counts_the_trials_of_every_kind(app: AppTest, database: str) -> None:
    with Ledger.open(database) as ledger:
        study = ledger.study("half")
        ledger.event(study.id, "error", "failed", "NonFiniteLoss: the loss is nan.")
        ledger.set_state(study.id, "failed")
    with sqlite3.connect(database) as rows:
        rows.execute("UPDATE lathe_trial SET origin = 'stitch' WHERE study_id = ? AND number < 3", (study.id,))
    app.run()
    assert app.metric[0].value == "40"
    app.query_params["study"] = "half"
    app.run()
    assert not app.exception and [error.value for error in app.error] == ["NonFiniteLoss: the loss is nan."]


def test_studies_can_be_seen_beside_each_other(app: AppTest, database: str) -> None:
    app.run()
    app.multiselect[0].set_value(["digits-cpu", "half"]).run()
    assert not app.exception
    assert [warning.value for warning in app.warning] == ["Not finished yet: half."]
    assert len(app.get("image")) == 1 and list(app.dataframe[0].value["study"]) == ["digits-cpu", "half"]


def test_a_study_shows_what_was_shipped_and_whether_the_search_won(app: AppTest, database: str) -> None:
    app.run()
    app.sidebar.radio[0].set_value("digits-cpu").run()
    assert not app.exception
    assert {m.label: m.value for m in app.metric} == {
        "Test accuracy": "97.0 %",
        "Latency on here": "0.0782 ms",
        "File": "62 kB",
        "Parameters": next(m.value for m in app.metric if m.label == "Parameters"),
    }
    assert "Against the hand-made network: the search won" in texts(app)
    assert app.query_params["study"] in ("digits-cpu", ["digits-cpu"])  # the type differs between versions


def test_no_win_is_claimed_for_a_network_that_may_be_guessing(app: AppTest, database: str) -> None:
    with Ledger.open(database) as ledger:
        known = {"class": "walk", "share": 0.999, "n": 359}
        ledger.event(ledger.study("digits-cpu").id, "info", COMMONEST, "", known)
    app.query_params["study"] = "digits-cpu"
    app.run()
    assert not app.exception
    said = texts(app)
    assert "Not shown to be better than guessing" in said and "the search won" not in said
    assert "Against the hand-made network: nothing can be concluded about either network until they learn the" in said


def test_the_chain_of_the_selected_winner_is_shown_with_reasons_and_its_file(app: AppTest, database: str) -> None:
    app.query_params["study"] = "digits-cpu"
    app.run()
    chain = next(radio for radio in app.radio if radio.label == "Chain")
    assert chain.options == ["trial 28 (shipped)", "trial 22"]
    steps = next(frame.value for frame in app.dataframe if "verdict" in frame.value.columns)
    assert list(steps["step"]) == ["inherit", "distill", "prune", "quantize"]
    assert list(steps["verdict"]) == ["start", "accepted", "shipped", "rejected"]
    assert "**quantize** rejected: no faster: 1.85x slower" in texts(app)
    chain.set_value(max(chains(models(load_study("digits-cpu", database))))).run()  # the later one, trial 22
    assert not app.exception
    steps = next(frame.value for frame in app.dataframe if "verdict" in frame.value.columns)
    assert "shipped" not in set(steps["verdict"])
    assert app.get("download_button")


def test_each_class_of_the_shipped_network_has_its_recall_and_its_confusions(app: AppTest, database: str) -> None:
    app.query_params["study"] = "digits-cpu"
    app.run()
    assert not app.exception and "4 of 36 `8` are answered `1`; 2 of 36 `3` are answered `5`" in texts(app)
    tables = [element.proto.body for element in app.get("html")]
    assert len(tables) == 2 and all('style="--share:89%">32</td>' in table for table in tables)


def test_the_table_of_trials_tells_measured_from_predicted(app: AppTest, database: str) -> None:
    app.query_params["study"] = "digits-cpu"
    app.run()
    table = next(frame.value for frame in app.dataframe if "network" in frame.value.columns)
    assert len(table) == 60
    assert set(table["latency_ms@here is"]) == {"measured", "predicted"}
    assert "predicted" not in set(table.loc[table["front"], "latency_ms@here is"])
    assert "120" in "\n".join(frame.value.to_string() for frame in app.dataframe if "error" in frame.value.columns)


def test_a_running_study_grows_on_the_page(app: AppTest, database: str) -> None:
    app.query_params["study"] = "half"
    app.run()
    assert len(next(f.value for f in app.dataframe if "network" in f.value.columns)) == 40
    with Ledger.open(database) as ledger:
        study = ledger.study("half")
        ledger.event(study.id, "warning", "failed_trial", "trial 41 did not fit")
    app.run()
    assert "trial 41 did not fit" in "\n".join(f.value.to_string() for f in app.dataframe if "message" in f.value)


def test_an_unknown_study_in_the_address_shows_the_list(app: AppTest, database: str) -> None:
    app.query_params["study"] = "no such study"
    app.run()
    assert not app.exception
    assert app.header[0].value == "Studies"


def test_a_missing_database_is_explained_and_not_created(app: AppTest, tmp_path: Path) -> None:
    app.run()
    assert not app.exception
    assert "there is no study database" in texts(app) and "search launch" in texts(app)
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_appears_later_is_shown(app: AppTest, tmp_path: Path) -> None:
    app.run()
    record_study(str(tmp_path / "lathe.db"), until="search")
    app.run()
    assert "there is no study database" not in texts(app)
    assert [element.value for element in app.subheader] == ["[digits-cpu](?study=digits-cpu)"]


def test_an_empty_database_says_that_nothing_was_recorded(app: AppTest, tmp_path: Path) -> None:
    (tmp_path / "lathe.db").touch()  # a file that is there gets its tables at once
    Ledger.open(str(tmp_path / "lathe.db")).close()
    app.run()
    assert not app.exception
    assert app.header[0].value == "No studies yet."


@pytest.mark.parametrize(
    ("content", "said"), [(b"this is no database, " * 100, "not a database"), (b"", "has no studies in it")]
)
def test_a_broken_database_is_explained(app: AppTest, tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "lathe.db").write_bytes(content)
    os.utime(tmp_path / "lathe.db", (0, 0))  # a new empty one is waited for
    app.run()
    assert not app.exception
    assert said in texts(app)


def test_looking_changes_nothing_in_the_database(app: AppTest, database: str) -> None:
    def dump() -> list[str]:
        connection = sqlite3.connect(database)
        try:
            return list(connection.iterdump())
        finally:
            connection.close()

    before = dump()
    app.query_params["study"] = "digits-cpu"
    app.run()
    assert not app.exception
    assert dump() == before


def test_the_chart_tells_predicted_marks_from_measured_ones(database: str) -> None:
    recorded = load_study("digits-cpu", database)
    view = StudyView(recorded, summarise(recorded), models(recorded), ())
    layers = front_chart(view.summary, view.models).to_dict()["layer"]
    dots = [layer for layer in layers if layer["mark"].get("type") in ("point", "circle")]
    drawn = {layer["mark"]["type"]: len(layer["data"]["values"]) for layer in dots[:2]}
    measured = sum(p.is_measured for p in view.summary.points)
    assert drawn == {"point": len(view.summary.points) - measured, "circle": measured}
    assert {row["series"] for row in dots[2]["data"]["values"]} == {"shipped", "baseline"}


def test_ticks_are_written_with_all_their_digits(database: str) -> None:
    recorded = load_study("digits-cpu", database)
    chart = json.dumps(front_chart(summarise(recorded), models(recorded)).to_dict())
    formats = set(re.findall(r'"axis": {"format": "(.*?)"', chart))
    assert formats and all(re.fullmatch(r"\.\d~g", each) for each in formats), "Vega chooses the digits of ~g itself"


def test_the_server_listens_on_this_machine_only_and_sends_nothing_home() -> None:
    line = command("lathe.db", port=9000)
    options = dict(zip(line[5:-2:2], line[6:-2:2], strict=True))
    assert options["--server.address"] == "127.0.0.1" and options["--server.port"] == "9000"
    assert options["--browser.gatherUsageStats"] == "false" and options["--server.headless"] == "true"
    assert line[-2:] == ["--", "lathe.db"]
