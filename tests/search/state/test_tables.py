"""The tables refuse what would be untrue, and a database URL that does not work says why."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, Table, UniqueConstraint, insert, select, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.orm import Session

from search.errors import SchemaError
from search.state.database import connect
from search.state.ledger import Ledger
from search.state.tables import Base, EventRow, MetaRow, StudyRow, VariantEdgeRow
from tests.search.ledger_samples import make_database

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    make_database(str(tmp_path / "studies.db"))
    opened = connect(str(tmp_path / "studies.db"))
    yield opened
    opened.dispose()


def study(**changes: Any) -> StudyRow:
    values: dict = {
        "name": "digits",
        "config": {},
        "config_hash": "c",
        "data_hash": "d",
        "seed": 0,
        "state": "running",
        "stage": "",
        "versions": {},
        "owner": "",
        "created_at": NOW,
    }
    return StudyRow(**{**values, **changes})


def test_a_time_without_a_zone_is_refused_and_any_zone_comes_back_as_utc(engine: Engine) -> None:
    with (
        pytest.raises(StatementError, match="must say its zone"),
        Session(engine) as session,
        session.begin(),
    ):
        session.add(study(created_at=datetime(2026, 11, 21, 8, 0)))
    with Session(engine) as session, session.begin():
        session.add(study(created_at=datetime(2026, 11, 21, 10, 0, tzinfo=timezone(timedelta(hours=2)))))
    with Session(engine) as session:
        found = session.scalars(select(StudyRow)).one().created_at
    assert found == NOW and found.tzinfo is UTC


def test_json_is_canonical_text(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        session.add(study(config={"b": [1, 2.5], "a": {"z": None, "ä": "é"}}))
    with engine.connect() as connection:
        stored = connection.scalar(text("SELECT config FROM lathe_study"))
    assert stored == '{"a":{"z":null,"ä":"é"},"b":[1,2.5]}'


@pytest.mark.parametrize(
    ("row", "constraint"),
    [
        (study(state="asleep"), "ck_lathe_study_state"),
        (study(), "lathe_study.name"),
        (EventRow(study_id=99, at=NOW, level="info", kind="k", message="m", data={}), "FOREIGN KEY"),
        (EventRow(study_id=1, at=NOW, level="loud", kind="k", message="m", data={}), "ck_lathe_event_level"),
        (VariantEdgeRow(child_id=1, parent_id=1, role="base"), "ck_lathe_variant_edge_order"),
    ],
)
def test_untrue_rows_are_refused(engine: Engine, row: Base, constraint: str) -> None:
    with Session(engine) as session, session.begin():
        session.add(study())
    with pytest.raises(IntegrityError, match=constraint), Session(engine) as session, session.begin():
        session.add(row)


def test_every_constraint_has_a_name_so_that_a_migration_can_find_it() -> None:
    tables: list[Table] = list(Base.metadata.tables.values())
    assert all(table.name.startswith("lathe_") for table in tables)
    unnamed = [(table.name, c) for table in tables for c in [*table.constraints, *table.indexes] if not c.name]
    assert unnamed == []


def test_every_reference_is_indexed() -> None:
    """Deleting a row, and every join, would else scan the table that refers to it."""
    for table in Base.metadata.tables.values():
        leading = {next(iter(index.columns)).name for index in [*table.indexes, table.primary_key] if index.columns}
        leading |= {next(iter(c.columns)).name for c in table.constraints if isinstance(c, UniqueConstraint)}
        missing = (
            {key.parent.name for key in table.foreign_keys} - leading - {"device_id"}
        )  # few devices, kept for good
        assert missing == set(), table.name


def test_deleting_a_study_takes_its_rows_with_it(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        session.add(study())
        session.flush()
        session.add(EventRow(study_id=1, at=NOW, level="info", kind="k", message="m", data={}))
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM lathe_study"))
        assert connection.scalar(text("SELECT count(*) FROM lathe_event")) == 0


def test_a_writer_takes_the_lock_before_it_reads(engine: Engine) -> None:
    """With a plain BEGIN both would read 0 and the second would fail or overwrite the first."""
    with engine.begin() as connection:
        connection.execute(insert(MetaRow).values(key="count", value="0"))
    with engine.begin() as first:
        other = connect(str(engine.url.database).removeprefix("file:"))
        try:
            with other.connect() as raw:
                raw.connection.driver_connection.execute("PRAGMA busy_timeout = 50")  # type: ignore[union-attr]
                with pytest.raises(Exception, match="locked"):
                    raw.begin()
            first.execute(text("UPDATE lathe_meta SET value = '1'"))
        finally:
            other.dispose()


def test_settings_survive_on_every_connection(engine: Engine) -> None:
    with engine.connect() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30000}


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite://", "is a file"),
        ("mysql://localhost/x", "SQLite or PostgreSQL"),
        ("sqlite:////no/such/folder/x.db", "there is no study database"),
        ("postgresql://nobody@127.0.0.1:1/none", "Is the server running"),
        ("://", "no database URL"),
    ],
)
def test_a_database_that_cannot_be_reached_says_why(url: str, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        Ledger.open(url, create=False)


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "notes.db"
    file.write_text("these are my notes, " * 100)
    with pytest.raises(SchemaError, match="not a database"):
        Ledger.open(str(file))
    assert file.read_text() == "these are my notes, " * 100


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SchemaError, match="cannot make the folder"):
        Ledger.open(str(tmp_path / "file" / "deep" / "x.db"))


def test_a_path_with_odd_characters_is_that_path(tmp_path: Path) -> None:
    file = tmp_path / "a b%20?#ü" / "x y.db"
    make_database(str(file))
    assert file.is_file()
