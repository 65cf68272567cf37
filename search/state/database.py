"""From a database URL to an engine with safe settings, and errors that say what to do."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError

from compress.artifact import Store
from search.errors import Paused, SchemaError

SCHEMA = "0002"  # the newest revision in search/state/migrations/versions
VERSION_TABLE = "lathe_alembic_version"
_SAFE_WAL = (3, 51, 3)  # before it, a checkpoint racing a commit of another connection can damage the file
_READS = {"lathe_reads": True}
_BEING_MADE_S = 5.0  # an empty file no older than this is waited for: another process is making the tables


def parse(url: str) -> URL:
    """A database URL, or the path of a SQLite file. Raises SchemaError for any other kind of database."""
    try:
        parsed = make_url(url) if "://" in url else URL.create("sqlite", database=url)
    except ArgumentError as error:
        raise SchemaError(f"{url!r} is no database URL. Write sqlite:///studies/runs/lathe.db.") from error
    if parsed.drivername in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername == "postgresql+psycopg":
        return parsed
    if parsed.drivername != "sqlite":
        raise SchemaError(f"the database is SQLite or PostgreSQL, got {parsed.drivername!r}.")
    if parsed.database in (None, "", ":memory:"):
        raise SchemaError("the study database is a file, so that it survives. Write sqlite:///studies/runs/lathe.db.")
    return parsed


def sqlite_file(url: str | URL) -> Path | None:
    """The file of a SQLite URL, absolute and without links (its locks lie beside it); None for PostgreSQL."""
    parsed = parse(url) if isinstance(url, str) else url
    return Path(parsed.database or "").resolve() if parsed.drivername == "sqlite" else None


def store_of(url: str) -> Store:
    """The artifacts of a database: `<file>.artifacts/` beside a SQLite file, else the folder LATHE_STORE.

    Without that variable it is studies/runs/artifacts.
    """
    file = sqlite_file(url)
    if file is None:
        return Store(Path(os.environ.get("LATHE_STORE", "studies/runs/artifacts")))
    return Store(file.with_name(f"{file.name}.artifacts"))


def shown_url(url: URL) -> str:
    """The URL for a message: the plain path of a file, no password."""
    if url.drivername == "sqlite":
        return unquote((url.database or "").removeprefix("file:"))
    return url.render_as_string(hide_password=True)


def connect(url: str, read_only: bool = False, create: bool = False) -> Engine:
    """An engine on the database.

    With `read_only` no statement can write; without `create` the file must exist. Does not look at the
    schema: `check_schema` does. Raises SchemaError if there is no database to be reached.
    """
    parsed = parse(url)
    file = sqlite_file(parsed)
    engine = _server(parsed, read_only) if file is None else _file(file, read_only, create)
    with explained(engine.url), engine.connect():
        return engine


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Turn the driver's complaints about the database itself into a SchemaError (Paused for a full disk)."""
    try:
        yield
    except DatabaseError as error:
        message, shown = str(error.orig).strip(), shown_url(url)
        for sign, kind, remedy in _REMEDIES:
            if sign in message:
                raise kind(f"{shown}: {message}. {remedy}") from error
        if url.drivername != "sqlite" and (error.connection_invalidated or "connection" in message):
            raise SchemaError(f"{shown}: {message}. Is the server running, and the URL right?") from error
        raise


_REMEDIES = (
    ("not a database", SchemaError, "Name another file, or restore this one from a backup."),
    ("malformed", SchemaError, "The file is damaged: restore it from a backup (`<file>.backup-...`)."),
    (
        "database is locked",
        SchemaError,
        "Another program has held the file for over 30 s: close it and try again.",
    ),
    ("unable to open", SchemaError, "Check that the folder exists and may be written."),
    ("readonly database", SchemaError, "Check the permissions of the file and its folder."),
    ("disk is full", Paused, "Free some space, then resume the study."),
    ("No space left", Paused, "Free some space, then resume the study."),
)


def check_schema(engine: Engine) -> None:
    """Raises SchemaError unless the database has exactly the tables this version of Lathe knows.

    Cost: a query; up to 5 s where another process is just making the file.
    """
    shown, found = shown_url(engine.url), revision(engine)
    while found is None and _is_being_made(engine):
        time.sleep(0.05)
        found = revision(engine)
    if found is None:
        raise SchemaError(f"{shown} has no studies in it. `search launch` makes a database; or name another one.")
    if found > SCHEMA:
        raise SchemaError(
            f"{shown} was written by a newer Lathe (schema {found}, this one knows {SCHEMA}). Update Lathe."
        )
    if found < SCHEMA:
        raise SchemaError(
            f"{shown} has the older schema {found} (now {SCHEMA}). `search db upgrade` backs up and upgrades."
        )


def revision(engine: Engine) -> str | None:
    """The schema revision the database is at; None if it has none of our tables."""
    with explained(engine.url), for_reading(engine).connect() as connection:
        if not engine.dialect.has_table(connection, VERSION_TABLE):
            return None
        return connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))


def _is_being_made(engine: Engine) -> bool:
    """A SQLite file without any table, and too new to be one that was left so."""
    if engine.dialect.name != "sqlite":
        return False
    with explained(engine.url), for_reading(engine).connect() as connection:
        was_empty = connection.scalar(text("PRAGMA schema_version")) == 0
    try:
        return was_empty and time.time() - Path(shown_url(engine.url)).stat().st_mtime < _BEING_MADE_S
    except FileNotFoundError:
        return False


def for_reading(engine: Engine) -> Engine:
    """The same engine, but its transactions never wait for the writer and must not write."""
    return engine.execution_options(**_READS)


def create_tables(engine: Engine) -> None:
    """Make our tables in a database that has none; several processes may do so at once."""
    from search.state.migrations import (
        migrate,
    )  # Alembic takes a while to import, and an existing database needs none

    if engine.dialect.name == "sqlite":
        raw = engine.raw_connection()
        try:  # readers and the writer then work side by side; the file remembers it
            with explained(engine.url):
                raw.driver_connection.execute("PRAGMA journal_mode = WAL").fetchall()  # type: ignore[union-attr]
        finally:
            raw.close()
    migrate(engine)


def checkpoint(engine: Engine) -> None:
    """Move the write-ahead log into the file, where `connect` had to turn off that SQLite does it by itself.

    It takes the write lock, so no commit races it. Skipped at once, not waited for, while somebody reads.
    """
    if engine.dialect.name != "sqlite" or sqlite3.sqlite_version_info >= _SAFE_WAL:
        return
    raw = engine.raw_connection()
    try:
        for pragma in ("busy_timeout = 0", "wal_checkpoint(TRUNCATE)", "busy_timeout = 30000"):
            raw.driver_connection.execute(f"PRAGMA {pragma}").fetchall()  # type: ignore[union-attr]
    finally:
        raw.close()


def _file(file: Path, read_only: bool, create: bool) -> Engine:
    if create and not file.is_dir():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SchemaError(f"cannot make the folder {file.parent}: {error.strerror}. Name another one.") from error
    elif file.is_dir():
        raise SchemaError(f"{file} is a folder, the study database is a file. Write {file / 'lathe.db'}.")
    elif not file.is_file():
        raise SchemaError(f"there is no study database {file}. `search launch` makes one; or name another file.")
    is_read_only = not can_be_written(file)
    if is_read_only and not read_only:
        raise SchemaError(
            f"{file} is read-only here: it can be looked at and exported from, nothing can be added. To go on with it, "
            f"copy it and {file.name}.artifacts to a folder that can be written, and name the copy with `--db`."
        )
    mode = "ro" if read_only else "rwc" if create else "rw"
    url = URL.create("sqlite", database=f"file:{quote(str(file))}", query={"mode": mode, "uri": "true"})
    pool = NullPool if is_read_only else None  # each connection then looks anew whether somebody writes
    engine = create_engine(url, connect_args={"isolation_level": None, "timeout": 30.0}, poolclass=pool)
    event.listen(engine, "connect", _settings(read_only))
    if is_read_only:
        event.listen(engine, "do_connect", _as_read_only_media(file))
    event.listen(engine, "begin", _begin_reading if read_only else _begin)
    return engine


def can_be_written(file: Path) -> bool:
    """Whether this user may write the SQLite file, if it is there, and the files that SQLite makes beside it."""
    return os.access(file.parent, os.W_OK | os.X_OK) and (not file.exists() or os.access(file, os.W_OK))


def _as_read_only_media(file: Path) -> Any:
    """How SQLite reads a file beside which it can make none: as one that nobody changes, unless somebody does."""

    def prepare(_dialect: object, _record: object, arguments: list[Any], _settings: object) -> None:
        log, memory = file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")
        if memory.exists() or os.access(file.parent, os.W_OK | os.X_OK):
            return  # a writer's, or SQLite makes its own
        if log.exists() and log.stat().st_size:
            raise SchemaError(
                f"{file} was not closed: its last changes are in {log.name}, which cannot be read on read-only media. "
                "Copy both to a folder that can be written, and name the copy with `--db`."
            )
        arguments[0] += "&immutable=1"

    return prepare


def _settings(read_only: bool) -> Any:
    pragmas = ["busy_timeout = 30000", "foreign_keys = ON", "synchronous = FULL", "temp_store = MEMORY"]
    if read_only:
        pragmas.append("query_only = ON")
    if sqlite3.sqlite_version_info < _SAFE_WAL:
        pragmas.append("wal_autocheckpoint = 0")

    def apply(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    return apply


def _begin(connection: Connection) -> None:
    """Writers take the write lock first: one that reads and then writes would lose to a commit in between."""
    reads = connection.get_execution_options().get("lathe_reads")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _begin_reading(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _server(url: URL, read_only: bool) -> Engine:
    options = {"options": "-c default_transaction_read_only=on"} if read_only else {}
    try:
        return create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": 10, **options})
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise SchemaError("PostgreSQL needs the driver psycopg. Run `pip install 'lathe[postgres]'`.") from error
