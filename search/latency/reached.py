"""When each saved device last answered, and as what: a note beside the file of saved devices.

The note only joins a name to the rows of the database, which knows devices by fingerprint. Losing it loses nothing.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from compress.devices import Device
from search.config.devices import saved_device
from search.config.saved import saved_file, saved_names, write_whole
from search.errors import LatheError


@dataclass(frozen=True)
class Reached:
    """at: when it last answered, UTC; None for never. fingerprints: all that it has been with its present settings."""

    at: datetime | None = None
    fingerprints: tuple[str, ...] = ()


def reached(name: str) -> Reached:
    """What is noted of a saved device."""
    entry = _notes().get(name, {})
    at = entry.get("at")
    return Reached(datetime.fromisoformat(at) if at else None, tuple(entry.get("fingerprints", ())))


def note_reached(device: Device, fingerprint: str) -> None:
    """Note under every saved name whose settings are this device's that it just answered as `fingerprint`."""
    with contextlib.suppress(LatheError, OSError):  # a note that cannot be written must not end a measurement
        names = [name for name in saved_names() if _is_saved_as(name, device)]
        if not names:
            return
        notes = _notes()
        for name in names:
            known = reached(name).fingerprints
            kept = [*known, fingerprint] if fingerprint not in known else list(known)
            notes[name] = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "fingerprints": kept}
        _write(notes)


def forget_reached(name: str) -> None:
    """A device that is removed or replaced is another one."""
    with contextlib.suppress(OSError):
        notes = _notes()
        if notes.pop(name, None) is not None:
            _write(notes)


def _is_saved_as(name: str, device: Device) -> bool:
    with contextlib.suppress(LatheError):
        return saved_device(name) == device
    return False


def _file() -> Path:
    return saved_file().with_suffix(".reached.json")


def _notes() -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        return dict(json.loads(_file().read_text(encoding="utf-8")))
    return {}


def _write(notes: dict[str, Any]) -> None:
    write_whole(_file(), json.dumps(notes, indent=1))
