"""Folders for files that nobody keeps. Those of a killed process are told by their lock, and go with the next study."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "lathe-scratch-"
_HELD: dict[Path, int] = {}  # the descriptor that holds each folder's lock: the kernel lets go when we die


def make_scratch() -> Path:
    """A new empty folder among the temporary files, locked until `discard` or the end of this process."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        try:
            held = _locked(folder)
        except OSError:  # a file system without such locks: nobody will take it for abandoned either
            return folder
        if held is not None:  # else somebody who sweeps was faster than the lock
            _HELD[folder] = held
            return folder


def discard(folder: Path) -> None:
    """Remove a folder of `make_scratch` with all that is in it."""
    shutil.rmtree(folder, ignore_errors=True)
    held = _HELD.pop(folder, None)
    if held is not None:
        os.close(held)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder of `make_scratch` while the block lasts."""
    folder = make_scratch()
    try:
        yield folder
    finally:
        discard(folder)


def sweep_abandoned(dry_run: bool = False) -> list[Path]:
    """Remove the folders of processes of this user that are dead; returns them. `dry_run`: only returns them."""
    found = []
    for folder in sorted(Path(tempfile.gettempdir()).glob(f"{PREFIX}*")):
        try:
            if folder.lstat().st_uid != os.geteuid():
                continue
            held = _locked(folder)
        except OSError:  # a link, a file, gone by now, or a file system that cannot tell
            continue
        if held is None:
            continue
        if not dry_run:
            shutil.rmtree(folder, ignore_errors=True)
        os.close(held)
        found.append(folder)
    return found


def _locked(folder: Path) -> int | None:
    """A descriptor that holds the folder's lock; None if another one does, or the folder is gone."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.stat(folder)  # who swept it before may have removed what was opened
    except (BlockingIOError, FileNotFoundError):
        os.close(descriptor)
        return None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
