"""Readers: while another process makes the database, and where nothing can be written."""

import os
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from search.errors import SchemaError
from search.state.check import check
from search.state.database import connect, create_tables
from search.state.recorded import read_lines
from tests.search.command_line import Call, is_one_message
from tests.search.ledger_samples import make_database
from tests.search.recorded_study import record_study

NOBODY = 65534


# While it is made


def test_a_reader_waits_for_the_tables_that_another_process_is_making(tmp_path: Path) -> None:
    db = str(tmp_path / "lathe.db")
    with closing(sqlite3.connect(db)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")  # a file that is there, and nothing in it
    soon = time.time() + 60  # new, however slow this machine is
    os.utime(db, (soon, soon))
    found: list[object] = []
    reader = threading.Thread(target=lambda: found.append(read_lines(connect(db, read_only=True))))
    reader.start()
    time.sleep(0.2)
    assert reader.is_alive()
    writer = connect(db)
    create_tables(writer)
    writer.dispose()
    reader.join(10)
    assert found == [[]], "no studies yet"


def test_an_empty_file_that_was_left_is_not_waited_for(tmp_path: Path) -> None:
    db = tmp_path / "lathe.db"
    db.touch()
    os.utime(db, (0, 0))
    began = time.monotonic()
    with pytest.raises(SchemaError, match="no studies in it"):
        read_lines(connect(str(db), read_only=True))
    assert time.monotonic() - began < 2


# Where nothing can be written


@contextmanager
def as_who_may_only_read() -> Iterator[None]:
    """Root may write anywhere, so as nobody where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not tmp_path, which only its owner may enter."""
    outer = Path(tempfile.mkdtemp(prefix="lathe-read-only-"))
    outer.chmod(0o777)
    made = outer / "media"
    made.mkdir()
    try:
        yield made
    finally:
        made.chmod(0o755)
        shutil.rmtree(outer)


def test_a_study_in_a_folder_that_cannot_be_written_is_shown_and_exported_as_elsewhere(
    search: Call, folder: Path, tmp_path: Path
) -> None:
    db, out = folder / "lathe.db", folder.with_name("out")
    record_study(str(db))
    calls = [("status",), ("show",), ("top", "--json"), ("db", "check")]
    calls += [("db", "clean", "--dry-run"), ("export", "--out", out)]
    elsewhere = [search(*call, "--db", db) for call in calls]
    assert search("report", "--db", db, "--out", tmp_path / "page.html").code == 0
    shutil.rmtree(out)
    folder.chmod(0o555)
    with as_who_may_only_read():
        assert [search(*call, "--db", db) for call in calls] == elsewhere
        assert list(out.glob("*.onnx"))
        said = search("certify", "--db", db)
        page = search("report", "--db", db)
    assert {one.code for one in elsewhere} == {0}
    is_one_message(said, 7, "is read-only here", "copy it and lathe.db.artifacts", "--db")
    is_one_message(page, 1, "--out")


def test_a_file_that_cannot_be_written_is_read_and_a_launch_says_so(search: Call, folder: Path) -> None:
    db = folder / "lathe.db"
    make_database(str(db))
    folder.chmod(0o777)
    db.chmod(0o444)
    with as_who_may_only_read():
        assert search("status", "--db", db).code == 0
        said = search("resume", "digits-cpu", "--db", db)
    is_one_message(said, 7, "is read-only here")


def test_a_log_that_read_only_media_hide_is_named_and_no_old_state_is_shown(folder: Path) -> None:
    db, killed = folder / "lathe.db", folder / "killed.db"
    make_database(str(db))
    with closing(sqlite3.connect(db)) as writer:  # what a killed writer leaves: a log that is not in the file yet
        writer.execute("CREATE TABLE t (a)")
        shutil.copy(db, killed)
        shutil.copy(f"{db}-wal", f"{killed}-wal")
    folder.chmod(0o555)
    with as_who_may_only_read():
        assert check(str(db)) == []
        with pytest.raises(SchemaError, match=r"its last changes are in killed\.db-wal"):
            check(str(killed))
