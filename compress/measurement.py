"""One number about one artifact on one device, with its interval and how it came about."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["measured", "predicted", "simulated", "exact"]


@dataclass(frozen=True)
class Measurement:
    """A metric's value with a 95 % interval, and whether it was measured, predicted, simulated or is exact.

    `device` is the device's name in space.yaml ("" where none is involved) and `fingerprint` the sha256 of what that
    device is (CPU, runtime, options): two measurements compare only if their fingerprints are equal. `samples` holds
    the raw samples as little-endian float32, in the unit of `value`.
    """

    metric: str
    value: float
    unit: str
    low: float
    high: float
    kind: Kind
    repeats: int = 1
    device: str = ""
    fingerprint: str = ""
    artifact: str | None = None
    samples: bytes = b""
    details: Mapping[str, float | int | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.low <= self.value <= self.high:
            raise ValueError(
                f"`low <= value <= high` must hold for {self.metric}, got {self.low} {self.value} {self.high}."
            )


def sessions_of(measurement: Measurement) -> int:
    """Fresh sessions of the runtime that a latency rests on."""
    return int(measurement.details.get("sessions", 1))


def exact(metric: str, value: float, unit: str, artifact: str | None = None) -> Measurement:
    """A quantity without spread: parameters, MACs, bytes of a file."""
    return Measurement(metric, value, unit, value, value, "exact", artifact=artifact)
