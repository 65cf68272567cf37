"""`search stitch` on a finished study, from the command line to files that run."""

import json
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from compress.export.session import logits
from search.config.study import config_of
from search.errors import Interrupted
from search.state.check import check
from search.state.ledger import Ledger
from search.state.recorded import Recorded, load_study
from search.state.weights import stored_network
from search.stitching.anchors import trained_networks
from search.stitching.config import StitchConfig, Stitching, stitch_config, stitched_config_of
from search.stitching.run import stitch
from search.watch import Watch
from spaces.architecture import Architecture
from spaces.stitch import stitch_space
from tests.search.command_line import is_one_message, process
from tests.search.finished_study import Finished

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Made:
    """A stitched study that ran to its end."""

    db: str
    recorded: Recorded


@pytest.fixture(scope="module")
def database(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, str]:
    """(a copy of the finished study's database, the names of its fastest and of its slowest network)."""
    db = str(tmp_path_factory.mktemp("stitch") / "lathe.db")
    with sqlite3.connect(finished.db) as source, sqlite3.connect(db) as target:
        source.backup(target)
    shutil.copytree(f"{finished.db}.artifacts", f"{db}.artifacts")
    with Ledger.open(db) as ledger:
        names = [a.name for a in trained_networks(ledger, ledger.study("tiny"), 1.0).values() if a.latency_ms]
    return db, names[0], names[-1]


@pytest.fixture(scope="module")
def made(database: tuple[str, str, str]) -> Made:
    db, small, large = database
    with Ledger.open(db) as ledger:
        stitch(stitching_of(db, small, large, "tiny-stitched", keep=6), ledger, Watch(quiet=True))
    return Made(db, load_study("tiny-stitched", db))


def test_every_network_between_the_two_is_screened_and_measured(made: Made) -> None:
    """Accuracy with its own statistics, latency on the study's device, and where it stands in the space."""
    settings = made.recorded.study.config["stitch"]
    with Ledger.open(made.db) as ledger:
        known = {v.id: v for v in ledger.variants(ledger.study("tiny").id)}
    rows = [known[settings[whose]].architecture for whose in ("small", "large")]
    space = stitch_space(*(Architecture.from_json(row.json) for row in rows if row))
    assert {trial.architecture_id for trial in made.recorded.trials} == set(space.members)
    assert len(space.members) > 2
    for trial in made.recorded.trials:
        assert set(trial.values) == {"accuracy", "loss", "latency_ms@formula"}
        assert trial.kinds["latency_ms@formula"] == "simulated"


def test_what_ships_was_made_of_the_two_networks_and_tested_once(made: Made) -> None:
    shipped = [v for v in made.recorded.variants if v.is_shipped]
    given = [v for v in made.recorded.variants if v.role == "baseline"]
    assert shipped and len(given) == 2
    settings = made.recorded.study.config["stitch"]
    assert [v.config["variant"] for v in given] == [f"tiny:{settings['small']}", f"tiny:{settings['large']}"]
    for variant in made.recorded.variants:
        parents = {parent.id for parent in variant.parents}
        assert parents == ({v.id for v in given} if variant.role == "winner" else set())
    tested = [v for v in made.recorded.variants if any(e.split == "test" for e in v.evaluations)]
    assert {v.id for v in tested} == {v.id for v in (*shipped, *given)}
    assert sum(event.kind == "test_read" for event in made.recorded.events) == 1
    assert check(made.db) == []


def test_a_shipped_file_answers_as_its_network_does(made: Made) -> None:
    data = config_of({k: v for k, v in made.recorded.study.config.items() if k != "stitch"}, "tiny").task.load()
    x = data.validation.x[:16].float()
    with Ledger.open(made.db) as ledger:
        for variant in made.recorded.variants:
            if variant.is_shipped and variant.model:
                with torch.no_grad():
                    expected = stored_network(ledger.store, variant)(data.normalise(x)).numpy()
                np.testing.assert_allclose(logits(ledger.store.path(variant.model), x.numpy()), expected, atol=1e-4)


def test_the_same_call_says_that_it_is_done_and_other_settings_are_refused(
    made: Made, database: tuple[str, str, str]
) -> None:
    db, small, large = database
    again = ("stitch", "tiny", "--small", small, "--large", large, "--db", db)
    said = process(*again, "--epochs", "1")
    assert said.code == 0 and "This study is done" in said.err
    said = process(*again, "--epochs", "2", "-q")
    assert said.code == 3 and "stitch" in said.err and "Traceback" not in said.err


def test_a_budget_chooses_a_file_and_the_bundle_chooses_among_its_own(made: Made, tmp_path: Path) -> None:
    shipped = [v for v in made.recorded.variants if v.is_shipped]
    fastest_ms = min(m.high for v in shipped for m in v.measurements if m.metric == "latency_ms")
    call = ("export", "tiny-stitched", "--db", made.db, "--out", tmp_path / "out")
    said = process(*call, "--bundle")
    assert said.code == 0, said.err
    card = json.loads((tmp_path / "out/card.json").read_text())
    assert len(card["files"]) == len(shipped)
    budget = f"{1.0001 * fastest_ms:.8f}"
    within = [name for name, file in card["files"].items() if file["costs"]["latency_ms"]["high"] <= float(budget)]
    ran = run_bundle(tmp_path / "out", "--budget", budget)
    assert ran.returncode == 0 and ran.stdout.partition(":")[0] in within
    one = tmp_path / "one"
    said = process("export", "tiny-stitched", "--db", made.db, "--out", one, "--budget", f"{budget}ms")
    assert said.code == 0 and json.loads((one / "card.json").read_text())["shipped"] in within
    said = process("export", "tiny-stitched", "--db", made.db, "--out", tmp_path / "no", "--budget", "1us")
    is_one_message(said, 5, "the fastest takes")
    assert not (tmp_path / "no").exists()


def test_show_report_and_top_tell_it(made: Made, tmp_path: Path) -> None:
    shown = process("show", "tiny-stitched", "--db", made.db)
    assert "all networks, with the common weights" in shown.out and "as they were" in shown.out
    tree = json.loads(process("show", "tiny-stitched", "--db", made.db, "--json").out)
    assert len(tree["networks"]) == len(made.recorded.trials)
    assert len(tree["files"]) == sum(v.is_shipped for v in made.recorded.variants)
    assert {row["name"] for row in tree["given"]} == {"small-given", "large-given"}
    assert sorted(row["variant"] for row in tree["per_class"]) == sorted([file["id"] for file in tree["files"]] * 2)
    assert "each class, on 359 test examples, by " in shown.out
    assert process("top", "tiny-stitched", "--db", made.db).out.count("\n") == len(made.recorded.trials) + 1
    assert process("report", "tiny-stitched", "--db", made.db, "--out", tmp_path / "r.html").code == 0
    page = (tmp_path / "r.html").read_text()
    assert "to choose from by latency" in page and "common weights" in page and "search won" not in page


def test_a_stopped_stitching_goes_on_without_repeating_what_is_recorded(
    database: tuple[str, str, str],
) -> None:
    """Killed while it screens: what was trained is not trained again, and no trial is there twice."""
    db, small, large = database
    config = stitching_of(db, small, large, "stopped")

    class Stopping(Watch):
        def advance(self, done: float, text: str = "") -> None:
            super().advance(done, text)
            if text.startswith("stitch-"):
                raise Interrupted("stopped here")

    with Ledger.open(db) as ledger:
        with pytest.raises(Interrupted):
            stitch(config, ledger, Stopping(quiet=True))
        assert ledger.study("stopped").state == "paused"
        before = ledger.trials(ledger.study("stopped").id)
        assert 0 < len(before) < 4
    with Ledger.open(db) as ledger:
        tree = dict(ledger.study("stopped").config)
        stitch(stitched_config_of(tree, "stopped"), ledger, Watch(quiet=True))
    recorded = load_study("stopped", db)
    assert recorded.study.state == "done" and recorded.trials[: len(before)] == tuple(before)
    epochs = [event.data["epoch"] for event in recorded.events if event.kind == "stitch"]
    assert epochs == [1]


def test_bad_input_is_one_message_and_no_study(made: Made, database: tuple[str, str, str]) -> None:
    db, small, large = database
    is_one_message(process("stitch", "tiny-stitched", "--db", db), 2, "is stitched already, of networks of 'tiny'")
    is_one_message(process("stitch", "tiny", "--small", small, "--large", small, "--db", db), 2, "is both")
    is_one_message(
        process("stitch", "tiny", "--small", large, "--large", small, "--db", db), 2, "must be the faster one"
    )
    is_one_message(process("stitch", "tiny", "--small", "999", "--db", db), 4, "has trained no network '999'")
    with Ledger.open(db) as ledger:
        assert {study.name for study in ledger.studies()} <= {"tiny", "tiny-stitched", "stopped"}


def stitching_of(db: str, small: str, large: str, name: str, keep: int = 2) -> StitchConfig:
    """What the command makes of its options."""
    with Ledger.open(db) as ledger:
        record = ledger.study("tiny")
        found = trained_networks(ledger, record, 1.0)
        settings = Stitching("tiny", found[small].record.id or 0, found[large].record.id or 0, keep, epochs=1)
    return stitch_config(record.config, name, settings)


def run_bundle(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The bundle's own runner."""
    command = [sys.executable, "run.py", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
