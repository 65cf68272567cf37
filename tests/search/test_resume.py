"""A study that is killed at any point ends as the one that was not."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from search.fidelities.fates import KIND
from search.report.costs import STOPPED
from search.state.check import check
from search.state.ledger import Ledger

TINY = Path(__file__).with_name("tiny.yaml")
ENVIRON = {**os.environ, "OMP_NUM_THREADS": "1"}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "search", *arguments]
    return subprocess.run(command, env=ENVIRON, capture_output=True, text=True, timeout=300)


def outcome(db: Path) -> tuple[list, list]:
    """What a study found, without ids and times."""
    with Ledger.open(str(db), create=False) as ledger:
        study = ledger.study("tiny")
        assert study.state == "done"
        trials = [
            (t.number, t.origin, t.architecture_id, dict(t.values), dict(t.kinds)) for t in ledger.trials(study.id)
        ]
        variants = [
            (v.role, v.step, v.architecture_id, v.verdict, v.model, v.is_shipped) for v in ledger.variants(study.id)
        ]
    return trials, variants


def rows(db: Path, query: str) -> int:
    """A count from the database while another process writes it; 0 while there is no such table."""
    try:
        with sqlite3.connect(f"file:{db}?mode=ro", uri=True, timeout=30) as connection:
            return connection.execute(query).fetchone()[0]
    except sqlite3.OperationalError:
        return 0


KILL_POINTS = {
    "never": "",
    "in supernet training": "select count(*) from lathe_event where kind = 'supernet'",
    "in the search": "select count(*) >= 5 from lathe_trial",
    "in the random baseline": "select count(*) >= 14 from lathe_trial",
    "among the winners": "select count(*) >= 3 from lathe_variant",
}


SETTINGS = ("keep=2", "extra=2", "steps.0.distill.epochs=3", "alone_epochs=0")
RACE = tuple(word for setting in SETTINGS for word in ("-o", f"compress.{setting}"))
RACE_KILL_POINTS = {
    "after a short training": "select count(*) from lathe_evaluation where fidelity = 'short'",
    "after one was trained to the end": "select count(*) from lathe_variant where step = 'distill'",
}


def study_killed(query: str, db: Path, *options: str) -> None:
    """Launch the study, kill it when `query` is true (never, if it is empty), and resume it to its end."""
    launch = ("launch", str(TINY), "--db", str(db), "-q", *options)
    if not query:
        finished = run(*launch)
        assert finished.returncode == 0, finished.stderr
        return
    with subprocess.Popen([sys.executable, "-m", "search", *launch], env=ENVIRON, stderr=subprocess.PIPE) as running:
        while not rows(db, query) and running.poll() is None:
            time.sleep(0.02)
        assert running.poll() is None, "the study ended before it could be killed"
        running.send_signal(signal.SIGKILL)
    resumed = run("resume", "tiny", "--db", str(db), "-q")
    assert resumed.returncode == 0, resumed.stderr


@pytest.fixture(scope="module")
def databases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A finished study for every kill point that this run asks for; two at a time, because each uses one core."""
    folder = tmp_path_factory.mktemp("studies")
    given = [getattr(item, "callspec", None) for item in request.session.items]
    asked = {call.params.get("point") for call in given if call is not None}
    points = [point for point in KILL_POINTS if point == "never" or point in asked]
    found = {point: folder / str(number) / "lathe.db" for number, point in enumerate(points)}
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(study_killed, map(KILL_POINTS.__getitem__, found), found.values()))
    return found


@pytest.mark.parametrize(
    "point",
    [
        pytest.param("in supernet training", marks=pytest.mark.slow),
        "in the search",
        pytest.param("in the random baseline", marks=pytest.mark.slow),
        "among the winners",
    ],
)
def test_a_killed_study_resumes_to_what_the_unbroken_one_found(point: str, databases: dict[str, Path]) -> None:
    unbroken_trials, unbroken_variants = outcome(databases["never"])
    trials, variants = outcome(databases[point])
    assert len({architecture for _, _, architecture, _, _ in trials}) == len(trials) == 24
    assert trials == unbroken_trials
    assert variants == unbroken_variants
    assert check(str(databases[point])) == []


def fates(db: Path) -> list[dict]:
    """How far each candidate went, as the log has it."""
    with Ledger.open(str(db), create=False) as ledger:
        return ledger.event_data(ledger.study("tiny").id, KIND)


@pytest.mark.slow
def test_a_study_killed_while_its_networks_race_ends_with_the_same_ones(tmp_path: Path) -> None:
    unbroken = tmp_path / "0" / "lathe.db"
    study_killed("", unbroken, *RACE)
    assert {row["epochs"] for row in fates(unbroken)} == {1}
    assert len([row for row in fates(unbroken) if row["full"] is None]) == 3, "four began, and one was paid for"
    assert "short" in [step for _, step, *_ in outcome(unbroken)[1]]
    for number, query in enumerate(RACE_KILL_POINTS.values(), 1):
        db = tmp_path / str(number) / "lathe.db"
        study_killed(query, db, *RACE)
        assert outcome(db) == outcome(unbroken)
        assert fates(db) == fates(unbroken)
        assert check(str(db)) == []


@pytest.mark.slow
def test_a_killed_study_that_screens_int8_resumes_to_what_the_unbroken_one_found(tmp_path: Path) -> None:
    steps = "compress.steps=[{quantize: {images: 16}}]"
    options = ("-o", "search.screen=int8", "-o", "search.trials=8", "-o", steps, "-o", "supernet.epochs=1")
    unbroken, killed = tmp_path / "0" / "lathe.db", tmp_path / "1" / "lathe.db"
    study_killed("", unbroken, *options)
    study_killed(KILL_POINTS["in the search"], killed, *options)
    assert outcome(killed) == outcome(unbroken)
    assert check(str(killed)) == []


def test_ctrl_c_pauses_at_a_safe_point_and_names_the_command_to_go_on(tmp_path: Path) -> None:
    db = tmp_path / "lathe.db"
    command = [sys.executable, "-m", "search", "launch", str(TINY), "--db", str(db)]
    with subprocess.Popen(command, env=ENVIRON, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        while not rows(db, "select count(*) >= 2 from lathe_trial") and running.poll() is None:
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "search resume tiny" in said
    with Ledger.open(str(db), create=False) as ledger:
        assert ledger.study("tiny").state == "paused"
        (cost,) = ledger.event_data(ledger.study("tiny").id, STOPPED)
    assert cost["seconds"]["supernet"] > 0 and "search" in cost["seconds"], "what it took until then is not lost"
