"""Alembic revisions of the `lathe_` tables, and the one function that applies them."""

import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, text

from search.errors import SchemaError
from search.state.database import SCHEMA, connect, explained, revision, shown_url, sqlite_file

_LOCK = 0x6C61746865  # "lathe", the advisory lock that upgrades of one PostgreSQL database share


def migrate(engine: Engine) -> None:
    """Bring the database to this version's schema, all or nothing.

    Of several processes at once, one does the work.

    Raises SchemaError if rows would no longer refer to anything; nothing is changed then.
    """
    with explained(engine.url), engine.connect() as connection:
        is_file = engine.dialect.name == "sqlite"
        if is_file:
            _pragma(
                connection, "foreign_keys = OFF"
            )  # batch mode re-creates tables; only possible outside a transaction
        try:
            with connection.begin():
                if not is_file:
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
                command.upgrade(config(connection), "head")
                if is_file and (broken := connection.execute(text("PRAGMA foreign_key_check")).fetchall()):
                    raise SchemaError(f"the upgrade of {shown_url(engine.url)} left broken references: {broken[:3]}.")
        finally:
            if is_file:
                _pragma(connection, "foreign_keys = ON")


def upgrade(url: str) -> Path | None:
    """`search db upgrade`: back up, then upgrade.

    Returns the backup of a SQLite file, None if nothing was to be done. A PostgreSQL database is upgraded in
    one transaction; back it up with pg_dump before. Raises SchemaError if the database has none of our tables
    or was written by a newer Lathe.
    """
    engine = connect(url)
    try:
        found = revision(engine)
        if found is None or found > SCHEMA:
            what = "has no studies in it" if found is None else f"was written by a newer Lathe (schema {found})"
            raise SchemaError(f"{shown_url(engine.url)} {what}: there is nothing this version can upgrade.")
        if found == SCHEMA:
            return None
        file = sqlite_file(url)
        backup = None if file is None else _back_up(file, found)
        migrate(engine)
        return backup
    finally:
        engine.dispose()


def config(connection: Connection) -> Config:
    """Alembic's settings for these revisions, on an open connection."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    settings.attributes["connection"] = connection
    return settings


def ours(name: str | None, kind: str, _parents: object) -> bool:
    """Optuna's tables may stand beside ours: Alembic leaves alone what does not start with `lathe_`."""
    return kind != "table" or (name or "").startswith("lathe_")


def _back_up(file: Path, found: str) -> Path:
    """A consistent copy beside the file, made by SQLite itself, so that writers may go on meanwhile."""
    backup = file.with_name(f"{file.name}.backup-{found}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    needed, free = file.stat().st_size, shutil.disk_usage(file.parent).free
    if free < needed:
        raise SchemaError(f"a backup of {file} needs {needed} bytes, the disk has {free}. Free some space.")
    source = sqlite3.connect(file, timeout=30.0)
    try:
        source.execute("VACUUM INTO ?", (str(backup),))
    finally:
        source.close()
    return backup


def _pragma(connection: Connection, pragma: str) -> None:
    connection.connection.driver_connection.execute(f"PRAGMA {pragma}")  # type: ignore[union-attr]
