"""Where a cost is measured: one file a kind of device."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from compress.measurement import Measurement
from spaces.registry import Registry


class DeviceError(RuntimeError):
    """A device that cannot run a file or be reached; the message names the remedy."""


class DeviceOffline(DeviceError):
    """A device that cannot be reached now and may come back; nothing is wrong with the file."""


class Device(Protocol):
    """A frozen dataclass; its fields are what `devices: <name>:` in a space file may set."""

    def fingerprint(self) -> dict[str, str]:
        """All that a latency depends on besides the file: hardware, runtime, options, protocol."""
        ...

    def measure(self, files: Sequence[Path], reference: Path, name: str) -> list[Measurement]:
        """The latency of each file, in the order given, as metric `latency_ms` of the device called `name`.

        A device whose engines read no ONNX says by `formats` which exporters' files they read, and runs those that lie
        beside an ONNX file (`compress/export/formats.py`). Files of one call are compared with each other and with
        `reference`, which is in every round.
        Raises: DeviceError: if a file cannot be run here.
        """
        ...


@runtime_checkable
class Weighs(Protocol):
    """What a device adds that can tell more of a file than its latency."""

    def resources(self, file: Path, name: str) -> list[Measurement]:
        """Peak memory (`resident_bytes`: what opening and running the file adds) and `energy_mj` a call, as readable.

        Raises: DeviceError. Cost: a new process, about a second.
        """
        ...


@runtime_checkable
class Tells(Protocol):
    """What a device adds that can say what runs there; it answers also while others measure there."""

    def about(self) -> dict[str, Any]:
        """python, engines {name: version}, providers, fast {arithmetic: bool}, load, busy (others measure).

        Raises: DeviceError.
        """
        ...


def formats_of(*devices: Device) -> tuple[str, ...]:
    """The formats that the engines of these devices run, by their exporters' names; ONNX where a device says nothing.

    Raises: DeviceOffline, DeviceError: where a device has to be asked.
    """
    return tuple(dict.fromkeys(name for device in devices for name in getattr(device, "formats", ("onnx",))))


def fingerprint_of(device: Device) -> str:
    """sha256 (64 hex digits) of the device's fingerprint as canonical JSON."""
    return digest(device.fingerprint())


def digest(fingerprint: Mapping[str, str]) -> str:
    """sha256 (64 hex digits) of canonical JSON: sorted keys, no spaces."""
    return hashlib.sha256(json.dumps(fingerprint, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


DEVICES: Registry[type[Device]] = Registry("device", "lathe.devices")

import compress.devices.adb  # noqa: E402
import compress.devices.auto  # noqa: E402
import compress.devices.executorch  # noqa: E402
import compress.devices.onnxruntime  # noqa: E402
import compress.devices.openvino  # noqa: E402
import compress.devices.simulated  # noqa: E402
import compress.devices.ssh  # noqa: E402
import compress.devices.torch  # noqa: E402, F401  (these register themselves in DEVICES)
