"""Under which names a study knows its devices. The database calls a device as the first study did that used it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from compress.devices import fingerprint_of

if TYPE_CHECKING:
    from compress.measurement import Measurement
    from search.state.ledger import Ledger

KIND = "devices"  # of the event


def record_names(ledger: Ledger, study_id: int, devices: Mapping[str, Any], used: Sequence[str]) -> None:
    """Write once what each device of the study that is used is, by its fingerprint. Raises: DeviceError."""
    if used and not recorded_names(ledger, study_id):
        names = {fingerprint_of(devices[name]): name for name in reversed(used)}  # of two that are one the first
        ledger.event(study_id, "info", KIND, f"measures on {', '.join(used)}", names)


def recorded_names(ledger: Ledger, study_id: int) -> Mapping[str, str]:
    """The study's names by fingerprint; none before it began."""
    return next(iter(ledger.event_data(study_id, KIND)), {})


def named(measurement: Measurement, names: Mapping[str, str]) -> Measurement:
    """The measurement with the study's name of its device; as it is where the study did not record one."""
    return replace(measurement, device=names.get(measurement.fingerprint, measurement.device))
