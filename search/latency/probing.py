"""Does a device answer, what runs there, and how long does a small network take?"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from compress.devices import Device, Tells, digest, formats_of
from compress.devices.sessions import measure_sessions
from compress.measurement import Measurement
from compress.scratch import scratch_folder
from search.latency.sample_network import sample_model

SESSIONS = 3
ASK_AGAIN_S = 1.0


@dataclass(frozen=True)
class Probe:
    """What a device said. spec: all that its latencies depend on; fingerprint: the sha256 of that. about: what runs
    there, empty for a formula. reached_s: how long it took to answer. network: the sample network's latency; None
    where others measured there all the time."""

    spec: dict[str, str]
    fingerprint: str
    reached_s: float
    about: dict[str, Any] = field(default_factory=dict)
    network: Measurement | None = None


def probe(
    device: Device,
    name: str,
    wait_s: float,
    waiting: Callable[[], None] = lambda: None,
    step: Callable[[int], None] = lambda done: None,
) -> Probe:
    """Ask, then time the sample network in fresh sessions; `wait_s` seconds for others who measure there.

    waiting(): called once if there are others. step(done): after each session. Raises: DeviceError of
    `compress.devices`. Cost: three connections a session, or a second on this machine.
    """
    began = time.monotonic()
    about = _about(device)
    spec = device.fingerprint()
    answer = Probe(spec, digest(spec), time.monotonic() - began, about)
    if about.get("busy"):
        waiting()
    while about.get("busy"):
        if time.monotonic() - began > wait_s:
            return answer
        time.sleep(ASK_AGAIN_S)
        about = _about(device)
    with scratch_folder() as folder:
        path = sample_model(folder / "sample.onnx", formats_of(device))
        (found,) = measure_sessions(device, [path], path, name, SESSIONS, after_each=step)
    return Probe(spec, answer.fingerprint, answer.reached_s, about, found)


def _about(device: Device) -> dict[str, Any]:
    return device.about() if isinstance(device, Tells) else {}
