"""A study that is killed at any point ends as the one that was not."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from search.check import check
from search.ledger import Ledger

TINY = Path(__file__).with_name("tiny.yaml")
ENVIRON = {**os.environ, "OMP_NUM_THREADS": "1"}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "search.cli", *arguments]
    return subprocess.run(command, env=ENVIRON, capture_output=True, text=True, timeout=300)


def outcome(db: Path) -> tuple[list, list]:
    """What a study found, without ids and times."""
    with Ledger.open(str(db), create=False) as ledger:
        study = ledger.study("tiny")
        assert study.state == "done"
        trials = [(t.number, t.origin, t.architecture_id, dict(t.values), dict(t.kinds)) for t in ledger.trials(study.id)]
        variants = [(v.role, v.step, v.architecture_id, v.verdict, v.model, v.is_shipped) for v in ledger.variants(study.id)]
    return trials, variants


def rows(db: Path, query: str) -> int:
    """A count from the database while another process writes it; 0 while there is no such table."""
    try:
        with sqlite3.connect(f"file:{db}?mode=ro", uri=True, timeout=30) as connection:
            return connection.execute(query).fetchone()[0]
    except sqlite3.OperationalError:
        return 0


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[list, list]:
    db = tmp_path_factory.mktemp("unbroken") / "lathe.db"
    finished = run("launch", str(TINY), "--db", str(db), "-q")
    assert finished.returncode == 0, finished.stderr
    return outcome(db)


KILL_POINTS = {
    "in supernet training": "select count(*) from lathe_event where kind = 'supernet'",
    "in the search": "select count(*) >= 5 from lathe_trial",
    "in the random baseline": "select count(*) >= 14 from lathe_trial",
    "among the winners": "select count(*) >= 3 from lathe_variant",
}


@pytest.mark.parametrize("point", KILL_POINTS)
def test_a_killed_study_resumes_to_what_the_unbroken_one_found(point: str, unbroken: tuple[list, list], tmp_path: Path) -> None:
    db = tmp_path / "lathe.db"
    command = [sys.executable, "-m", "search.cli", "launch", str(TINY), "--db", str(db), "-q"]
    with subprocess.Popen(command, env=ENVIRON, stderr=subprocess.PIPE) as running:
        while not rows(db, KILL_POINTS[point]) and running.poll() is None:
            time.sleep(0.02)
        assert running.poll() is None, "the study ended before it could be killed"
        running.send_signal(signal.SIGKILL)
    resumed = run("resume", "tiny", "--db", str(db), "-q")
    assert resumed.returncode == 0, resumed.stderr
    trials, variants = outcome(db)
    assert len({architecture for _, _, architecture, _, _ in trials}) == len(trials)
    assert trials == unbroken[0]
    assert variants == unbroken[1]
    assert check(str(db)) == []


def test_ctrl_c_pauses_at_a_safe_point_and_names_the_command_to_go_on(tmp_path: Path) -> None:
    db = tmp_path / "lathe.db"
    command = [sys.executable, "-m", "search.cli", "launch", str(TINY), "--db", str(db)]
    with subprocess.Popen(command, env=ENVIRON, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        while not rows(db, "select count(*) >= 2 from lathe_trial") and running.poll() is None:
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "search resume tiny" in said
    with Ledger.open(str(db), create=False) as ledger:
        assert ledger.study("tiny").state == "paused"
