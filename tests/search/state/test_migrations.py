"""Models and revisions agree, old and new databases are told apart, and Optuna may live in the same file."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import IntegrityError

from search.errors import SchemaError, StudyBusy
from search.state.check import check
from search.state.database import SCHEMA, VERSION_TABLE
from search.state.ledger import Ledger
from search.state.migrations import config, ours, upgrade
from search.state.sharing import MARK
from search.state.tables import Base
from tests.search.ledger_samples import CONFIG, DATA, ask, engine_on, make_database, trial


def differences(connection: Connection) -> list:
    options = {"version_table": VERSION_TABLE, "include_name": ours, "target_metadata": Base.metadata}
    return compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)


def write_and_resume(url: str) -> None:
    with Ledger.open(url) as ledger:
        study = ledger.open_study("digits", CONFIG, DATA, {})
        for number in range(3):
            ledger.record_trial(study.id, trial(number))
    with Ledger.open(url) as ledger:
        study = ledger.open_study("digits", CONFIG, DATA, {})
        assert ledger.trials(study.id) == [trial(number) for number in range(3)]
        ledger.set_state(study.id, "done")


def stamp(url: str, revision: str) -> None:
    with engine_on(url) as engine, engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = :to"), {"to": revision})


def definitions(connection: Connection) -> dict[str, set[str]]:
    """What SQLite was told, by table or index: columns and constraints, which may stand in any order."""
    query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name LIKE '%lathe\\_%' ESCAPE '\\'"
    found = {name: " ".join(sql.split()).replace('"', "") for name, sql in connection.execute(text(query))}
    found.pop(VERSION_TABLE, None)
    return {name: set(re.split(r", (?=CONSTRAINT)| \)$", sql)) for name, sql in found.items()}


def test_the_revisions_make_exactly_the_tables_of_the_models(tmp_path: Path) -> None:
    make_database(str(tmp_path / "migrated.db"))
    modelled = create_engine("sqlite://")
    with engine_on(str(tmp_path / "migrated.db")) as migrated, migrated.connect() as connection:
        assert differences(connection) == []
        with modelled.begin() as other:
            Base.metadata.create_all(other)
            assert definitions(connection) == definitions(other), "Alembic does not compare CHECKs; this does"
    modelled.dispose()


def test_the_code_names_the_newest_revision(tmp_path: Path) -> None:
    make_database(str(tmp_path / "x.db"))
    with engine_on(str(tmp_path / "x.db")) as engine, engine.connect() as connection:
        assert ScriptDirectory.from_config(config(connection)).get_heads() == [SCHEMA]


@pytest.mark.parametrize("optuna_first", [True, False])
def test_optuna_lives_in_the_same_file(tmp_path: Path, optuna_first: bool) -> None:
    import optuna

    file = tmp_path / "both.db"

    def run_optuna() -> None:
        storage = optuna.storages.RDBStorage(f"sqlite:///{file}")
        found = optuna.create_study(storage=storage, study_name="digits", load_if_exists=True)
        found.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
        storage.engine.dispose()

    if optuna_first:
        run_optuna()
    write_and_resume(str(file))
    run_optuna()
    assert check(str(file)) == []
    with engine_on(str(file)) as engine, engine.connect() as connection:
        assert differences(connection) == []
    assert ask(str(file), "SELECT count(*) FROM trials") == [(4 if optuna_first else 2,)]


@pytest.mark.parametrize(("found", "remedy"), [("9999", "newer Lathe"), ("0000", "search db upgrade")])
def test_a_database_of_another_version_is_refused_and_not_touched(tmp_path: Path, found: str, remedy: str) -> None:
    url = str(tmp_path / "x.db")
    make_database(url)
    stamp(url, found)
    with pytest.raises(SchemaError, match=remedy):
        Ledger.open(url)
    with pytest.raises(SchemaError, match=remedy):
        check(url)
    assert ask(url, f"SELECT version_num FROM {VERSION_TABLE}") == [(found,)]


def test_a_database_without_our_tables_is_no_study_database(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "x.db")) as connection:
        connection.execute("CREATE TABLE mine (a)")
    for reader in (check, upgrade, lambda url: Ledger.open(url, create=False)):
        with pytest.raises(SchemaError, match="no studies in it"):
            reader(str(tmp_path / "x.db"))


def test_an_upgrade_of_a_current_database_does_nothing(tmp_path: Path) -> None:
    make_database(str(tmp_path / "x.db"))
    assert upgrade(str(tmp_path / "x.db")) is None
    assert not list(tmp_path.glob("*.backup*"))


def test_a_database_of_the_first_schema_keeps_its_rows_and_takes_short_trainings_once_upgraded(tmp_path: Path) -> None:
    url = str(tmp_path / "x.db")
    write_and_resume(url)
    with engine_on(url) as engine, engine.begin() as connection:  # back to the first schema, but for its evaluations
        connection.execute(text("DROP TABLE lathe_evaluation"))
        first = create_engine("sqlite://")
        with first.begin() as other:
            command.upgrade(config(other), "0001")
            query = text("SELECT sql FROM sqlite_master WHERE tbl_name = 'lathe_evaluation' AND sql IS NOT NULL")
            for (sql,) in other.execute(query):
                connection.execute(text(sql))
    stamp(url, "0001")
    insert = (
        "INSERT INTO lathe_evaluation SELECT {}, study_id, architecture_id, id, NULL, 'validation', 'loss', 1, 1, 1, "
        "9, '{}', '{}', created_at FROM lathe_trial WHERE number = 0"
    )
    with engine_on(url) as engine:
        with engine.begin() as connection:
            connection.execute(text(insert.format(1, "supernet", "a")))
        with pytest.raises(IntegrityError, match="fidelity"), engine.begin() as connection:
            connection.execute(text(insert.format(2, "short", "b")))
    assert upgrade(url) is not None
    with engine_on(url) as engine, engine.begin() as connection:
        connection.execute(text(insert.format(2, "short", "b")))
        assert differences(connection) == []
    with Ledger.open(url) as ledger:
        assert [e.fidelity for e in ledger.trials(1)[0].evaluations] == ["supernet", "short"]
    assert check(url) == []


def test_an_upgrade_that_fails_leaves_a_backup_and_the_database_as_it_was(tmp_path: Path) -> None:
    """A schema that never was, by its stamp: Alembic does not know it and stops."""
    url = str(tmp_path / "x.db")
    write_and_resume(url)
    stamp(url, "0000")
    with pytest.raises(Exception, match="0000"):
        upgrade(url)
    [backup] = tmp_path.glob("x.db.backup-0000-*")
    for file in (Path(url), backup):
        assert ask(str(file), "SELECT count(*) FROM lathe_trial") == [(3,)]
    stamp(url, SCHEMA)
    assert check(url) == []


def test_postgresql_holds_the_same_tables_and_locks(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATHE_STORE", str(tmp_path / "store"))
    write_and_resume(postgres_url)
    with engine_on(postgres_url) as engine, engine.connect() as connection:
        assert differences(connection) == []
    with Ledger.open(postgres_url) as ledger, Ledger.open(postgres_url) as other:
        ledger.open_study("second", CONFIG, DATA, {})
        with pytest.raises(StudyBusy):
            other.open_study("second", CONFIG, DATA, {})
        file = ledger.add_artifact(None, b"model", "onnx")
        assert (tmp_path / "store" / file[:2] / file).read_bytes() == b"model"
        assert check(postgres_url) == []
    [abandoned] = check(postgres_url)
    assert "'second' is marked running" in abandoned
    with pytest.raises(Exception, match="read-only"):
        ask(postgres_url, "DELETE FROM lathe_event")


def test_databases_of_a_server_that_share_a_store_keep_each_others_files(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that name no store of their own do. The first one's Lathe may have been one that left no mark there."""
    monkeypatch.setenv("LATHE_STORE", str(tmp_path / "store"))
    with engine_on(postgres_url) as engine, engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("CREATE DATABASE beside"))
    beside = postgres_url.replace("/postgres?", "/beside?")
    kept = set()
    for url in (postgres_url, beside, postgres_url, beside):
        with Ledger.open(url) as ledger:
            study = ledger.open_study("shared", CONFIG, DATA, {})
            kept.add(ledger.save_checkpoint(study.id, f"of {url} {len(kept)}", f"{url} {len(kept)}".encode()))
            assert set(ledger.store.names()) == kept and ledger.orphans() == []
            ledger.set_state(study.id, "done")
        if url == postgres_url and len(kept) == 1:
            for mark in (tmp_path / "store").glob(f"{MARK}*"):
                mark.unlink()
    assert check(beside) == []


def test_a_database_alone_in_its_store_still_removes_what_a_killed_process_left(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATHE_STORE", str(tmp_path / "alone"))
    for _ in range(2):
        with Ledger.open(postgres_url) as ledger:
            left = ledger.store.put(b"left")
            assert ledger.gc() == [left.sha256]
