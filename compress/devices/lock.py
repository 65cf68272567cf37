"""Measuring and training exclude each other across processes, by locks that the kernel frees when a holder dies.

Two files a machine resource: whoever wants in passes the gate first, and a measurer keeps the gate while it waits for
those inside. So newcomers queue behind a waiting measurer, and trainers that come and go cannot starve it.
"""

import contextlib
import fcntl
import functools
import logging
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

PATIENCE_S = 5.0

_log = logging.getLogger("lathe.devices")
_held = threading.local()
_open: set[int] = set()


def lock_folder() -> Path:
    """LATHE_LOCK_DIR, or the system's folder for temporary files: all processes on a machine must agree on it."""
    return Path(os.environ.get("LATHE_LOCK_DIR") or tempfile.gettempdir())


@contextlib.contextmanager
def exclusive(resource: str = "cpu") -> Iterator[None]:
    """Hold the resource alone, for measuring; waits until nobody trains or measures on it, and says so in the log
    (which a command prints) if that takes long.

    Raises: RuntimeError: if this thread holds it already, which would wait for itself.
    """
    with _entered(resource), _opened(resource) as (gate, inside):
        with _told_after(PATIENCE_S, "waiting: another process of Lathe's measures on this machine ..."):
            fcntl.flock(gate, fcntl.LOCK_EX)
            fcntl.flock(inside, fcntl.LOCK_EX)  # those inside leave; nobody else gets past the gate
            fcntl.flock(gate, fcntl.LOCK_UN)
        yield


@contextlib.contextmanager
def shared(resource: str = "cpu") -> Iterator[Callable[[], None]]:
    """Hold the resource together with others, for training; yields a function to call between two steps.

    It lets a waiting measurer in and returns when that is done; when nobody waits it costs a few microseconds.
    Raises: RuntimeError: as `exclusive`.
    """
    with _entered(resource), _opened(resource) as (gate, inside):

        def enter() -> None:
            fcntl.flock(gate, fcntl.LOCK_SH)
            fcntl.flock(inside, fcntl.LOCK_SH)
            fcntl.flock(gate, fcntl.LOCK_UN)

        def let_measurers_in() -> None:
            try:
                fcntl.flock(gate, fcntl.LOCK_SH | fcntl.LOCK_NB)
                fcntl.flock(gate, fcntl.LOCK_UN)
            except BlockingIOError:
                fcntl.flock(inside, fcntl.LOCK_UN)
                enter()

        enter()
        yield let_measurers_in


@contextlib.contextmanager
def _told_after(seconds: float, message: str) -> Iterator[None]:
    timer = threading.Timer(seconds, _say_once, (message,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@functools.cache
def _say_once(message: str) -> None:
    _log.warning(message)


@contextlib.contextmanager
def _entered(resource: str) -> Iterator[None]:
    held: set[str] = _held.__dict__.setdefault("resources", set())
    if resource in held:
        raise RuntimeError(f"this thread holds {resource!r} already and would wait for itself: leave that block first.")
    held.add(resource)
    try:
        yield
    finally:
        held.discard(resource)


@contextlib.contextmanager
def _opened(resource: str) -> Iterator[tuple[int, int]]:
    descriptors: list[int] = []
    try:
        for part in ("gate", "inside"):
            descriptors.append(_descriptor(lock_folder() / f"lathe-{resource}.{part}.lock"))
            _open.add(descriptors[-1])
        yield descriptors[0], descriptors[1]
    finally:
        for descriptor in descriptors:
            if descriptor in _open:  # a forked child has closed its copies, and the number may be another file's
                _open.discard(descriptor)
                os.close(descriptor)


def _descriptor(path: Path) -> int:
    """Another user's file in a shared folder opens for reading only, and that is enough for a lock."""
    with contextlib.suppress(FileNotFoundError):
        return os.open(path, os.O_RDONLY)
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)


def _forget_in_child() -> None:
    """A forked child shares the locks: without this a killed trainer would hold the device while its workers live."""
    for descriptor in list(_open):
        os.close(descriptor)
    _open.clear()


os.register_at_fork(after_in_child=_forget_in_child)
