"""Who works on what: locks that the kernel or the server gives back when their holder dies."""

import fcntl
import os
import socket
import weakref
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from sqlalchemy import Connection, Engine, NullPool, create_engine, text

from search.state.database import explained, parse, sqlite_file
from search.state.records import digest


class Lock(Protocol):
    def release(self) -> None: ...


class FileLock:
    """An flock on a file.

    Raises BlockingIOError if another process, or another opening in this one, excludes it.
    """

    def __init__(self, path: Path, shared: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(self._descriptor)
            raise
        _HELD.add(self)

    def try_alone(self) -> bool:
        """Make a shared lock exclusive if nobody else shares it; `share` undoes it.

        It stays shared otherwise.
        """
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            self.share()  # a failed conversion has given the lock up
            return False

    def share(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def release(self) -> None:
        _HELD.discard(self)
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class ServerLock:
    """An advisory lock of PostgreSQL, on a connection of its own: the server drops it with the connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def release(self) -> None:
        self._connection.close()


_HELD: weakref.WeakSet[FileLock] = weakref.WeakSet()


def _forget_in_child() -> None:
    """A forked child shares the flock: let go of it, or a killed study would stay locked by its workers."""
    for lock in list(_HELD):
        lock.release()


os.register_at_fork(after_in_child=_forget_in_child)


def owner() -> str:
    """This process, as others can find it: host:pid."""
    return f"{socket.gethostname()}:{os.getpid()}"


def lock_study(url: str, name: str) -> Lock | None:
    """The exclusive lock on a study, or None if somebody holds it.

    It lies beside a SQLite file, else in the server.
    """
    file = sqlite_file(url)
    if file is None:
        return _lock_on_server(create_engine(parse(url), poolclass=NullPool), name)
    try:
        return FileLock(file.with_name(f"{file.name}.locks") / quote(name, safe=""))
    except BlockingIOError:
        return None


def _lock_on_server(engine: Engine, name: str) -> ServerLock | None:
    with explained(engine.url):
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    key = int(digest("study", name)[:15], 16)  # advisory locks are named by 64 signed bits
    if connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}):
        return ServerLock(connection)
    connection.close()
    return None
