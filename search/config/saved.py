"""Devices that the user saved: described once, named by any space file and any command.

They lie in one file of the user's, which reads like the `devices:` section of a space file:

    pi: {kind: ssh, host: pi.local, threads: 4}
"""

import contextlib
import fcntl
import io
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from search.config.source import Source, read_source
from search.errors import ConfigError


def saved_file() -> Path:
    """$LATHE_DEVICES, or lathe/devices.yaml in the folder of the user's settings ($XDG_CONFIG_HOME, ~/.config)."""
    given = os.environ.get("LATHE_DEVICES")
    settings = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config")
    return (Path(given) if given else settings / "lathe/devices.yaml").expanduser()


def saved_source() -> Source:
    """The file as plain values, each device with its kind and fields; no file is no devices. Raises: ConfigError."""
    file = saved_file()
    if not file.exists() or _is_blank(file):
        return Source(str(file), "", {}, {}, {})
    source = read_source(file)
    if source.problems:
        raise source.error(source.problems)
    return source


def saved_names() -> list[str]:
    """The names of the saved devices, sorted. Raises: ConfigError."""
    return sorted(saved_source().tree)


def save_device(name: str, fields: Mapping[str, Any]) -> Path:
    """Add or replace a device; comments that the user wrote stay. Returns: the file. Raises: ConfigError."""
    with _edited() as tree:
        entry = CommentedMap(fields)
        entry.fa.set_flow_style()
        tree[name] = entry
    return saved_file()


def forget_device(name: str) -> None:
    """Remove a saved device. Raises: ConfigError: if the file cannot be written; KeyError."""
    with _edited() as tree:
        del tree[name]


@contextlib.contextmanager
def _edited() -> Iterator[Any]:
    """The file's mapping, written whole when the block ends; two commands at once take turns."""
    saved_source()  # a file that cannot be read is not written over
    file, yaml = saved_file(), YAML()
    yaml.width = 120
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _alone(file.parent):
            text = file.read_text(encoding="utf-8") if file.exists() else ""
            tree = yaml.load(text) or CommentedMap()
            yield tree
            written = io.StringIO()
            yaml.dump(tree, written)
            write_whole(file, written.getvalue() if tree else "")
    except OSError as error:
        raise ConfigError(
            f"error: {file} cannot be written: {error.strerror}. LATHE_DEVICES names another file."
        ) from error


def write_whole(file: Path, text: str) -> None:
    """The old content or the new, never a part: written beside the file, then renamed. Raises: OSError."""
    descriptor, beside = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.replace(beside, file)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_blank(file: Path) -> bool:
    """Nothing but comments, so that a file whose last device was removed is none that is wrong."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return not re.sub(r"(?m)^\s*#.*$", "", file.read_text(encoding="utf-8")).strip(" \n{}")
    return False
