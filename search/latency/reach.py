"""A device that was unplugged: its measurements wait, the study does not end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from compress.devices import DeviceOffline
from search.workplace import Workplace

RETRY_S = 15.0
T = TypeVar("T")


def is_away(study: Workplace, device: str) -> bool:
    """It did not answer a moment ago, so it is not asked yet again."""
    return time.monotonic() < study.away.get(device, 0.0)


def note_away(study: Workplace, device: str, error: DeviceOffline, what: str) -> None:
    """Say once that the device is gone, and what the study does meanwhile."""
    if device not in study.away:
        study.watch.say(f"Device {device}: {str(error).rstrip('.')}. {what}")
        study.event("offline", f"{device}: {error}", {"device": device}, "warning")
    study.away[device] = time.monotonic() + RETRY_S


def note_back(study: Workplace, device: str) -> None:
    """Say that the device answers again, if it was gone."""
    if study.away.pop(device, None) is not None:
        study.watch.say(f"Device {device}: it is back.")
        study.event("online", f"{device} is back", {"device": device})


def when_reachable(study: Workplace, device: str, work: Callable[[], T]) -> T:
    """Do what needs the device. While it is gone, wait for it: it is asked again every 15 s, and Ctrl-C pauses."""
    while True:
        try:
            found = work()
        except DeviceOffline as error:
            note_away(study, device, error, "Its measurements wait until it is back; Ctrl-C pauses the study.")
            while is_away(study, device):
                study.watch.check()
                time.sleep(0.1)
        else:
            note_back(study, device)
            return found
