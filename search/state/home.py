"""Where a ledger writes: a database that is not made before there is something to write."""

import os
from functools import cached_property
from importlib import import_module
from pathlib import Path

from sqlalchemy import Engine, StaticPool, create_engine

from search.errors import SchemaError
from search.state.database import (
    check_schema,
    checkpoint,
    connect,
    create_tables,
    revision,
    shown_url,
    sqlite_file,
    store_of,
)
from search.state.locks import FileLock
from search.state.sharing import mark
from search.state.tables import Base


class Home:
    """A study database and the artifacts beside it. A SQLite file is made, with its folder, by the first write: a
    command that cannot begin leaves nothing behind. Until then reading finds no rows. With `read_only` nothing is made
    or locked, and writing fails.

    Raises SchemaError if the database cannot be used as it is, or could not be made.
    """

    def __init__(self, url: str, create: bool, read_only: bool = False) -> None:
        self.url, self.store, self._read_only = url, store_of(url), read_only
        self._file = sqlite_file(url)
        self._engine: Engine | None = None
        self._writers: FileLock | None = None
        if create and self._file is not None and not self._file.exists():
            _check_can_be_made(self._file)
        else:
            self._open(create)

    @property
    def shown(self) -> str:
        """The database for a message: the file, or the URL without its password."""
        return str(self._file) if self._engine is None else shown_url(self._engine.url)

    def to_read(self) -> Engine:
        """Whatever is there, by whoever made it."""
        if self._engine is None and self._file is not None and self._file.exists():
            self._open(create=True)
        return self._nothing if self._engine is None else self._engine

    def to_write(self) -> Engine:
        """The database, made now at the latest."""
        return self._engine or self._open(create=True)

    def writers(self) -> FileLock:
        """The lock that all writers of the store share."""
        self.to_write()
        assert self._writers is not None
        return self._writers

    def tidy(self) -> None:
        """A moment for SQLite to move its log into the file."""
        if self._engine is not None and not self._read_only:
            checkpoint(self._engine)

    def close(self) -> None:
        """Let go of everything."""
        if self._writers is not None:
            self._writers.release()
        self.tidy()
        if self._engine is not None:
            self._engine.dispose()
        if "_nothing" in vars(self):
            self._nothing.dispose()

    def _open(self, create: bool) -> Engine:
        if create and self._file is not None and not self._file.exists():
            import_module("search.state.migrations")  # takes a while: before the file is there, for others see it empty
        engine = connect(self.url, self._read_only, create)
        try:
            if create and revision(engine) is None:
                create_tables(engine)
            check_schema(engine)
            if not self._read_only:
                self._writers = FileLock(self.store.root / ".writers", shared=True)
                if self._file is None:
                    mark(engine, self.store)
        except BaseException:
            engine.dispose()
            raise
        self._engine = engine
        return engine

    @cached_property
    def _nothing(self) -> Engine:
        """Our tables without a row, in memory."""
        engine = create_engine("sqlite://", poolclass=StaticPool)
        Base.metadata.create_all(engine)
        return engine


def _check_can_be_made(file: Path) -> None:
    """Said before the work and not after it. Raises: SchemaError."""
    there = next(folder for folder in file.parents if folder.exists())
    if not there.is_dir():
        raise SchemaError(f"cannot make the folder {file.parent}: {there} is a file. Name another one.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise SchemaError(f"cannot write into {there}. Check its permissions, or name another database.")
