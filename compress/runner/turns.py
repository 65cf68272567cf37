"""Nobody measures while somebody else measures or trains here."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Nobody else measures or trains here meanwhile: the same two locks as `compress/devices/lock.py`."""
    import fcntl

    os.makedirs(os.path.dirname(lock_file("gate")), exist_ok=True)
    with contextlib.ExitStack() as stack:
        locks = []
        for part in ("gate", "inside"):
            path = lock_file(part)
            descriptor = os.open(path, os.O_RDONLY | (0 if os.path.exists(path) else os.O_CREAT), 0o644)
            stack.callback(os.close, descriptor)
            locks.append(descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        fcntl.flock(locks[0], fcntl.LOCK_UN)
        yield


def busy() -> bool:
    """Whether somebody measures here now; who only trains lets measurers in between two steps."""
    import fcntl

    try:
        with contextlib.suppress(FileNotFoundError), open(lock_file("inside")) as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def lock_file(part: str) -> str:
    """Where the locks are that `compress/devices/lock.py` explains."""
    return os.path.join(os.environ.get("LATHE_LOCK_DIR") or tempfile.gettempdir(), f"lathe-cpu.{part}.lock")
