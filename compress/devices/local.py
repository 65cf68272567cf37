"""Engines on this machine: what the kinds that are called as an engine, and `auto`, share."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from compress.devices import DeviceError, digest
from compress.devices.answers import Details, resources_of
from compress.devices.engines import (
    PRECISIONS,
    PROCESSORS,
    RIVALS,
    Setup,
    chosen_engines,
    described,
    measure_in,
    read_by,
)
from compress.devices.jobs import file_entry, read_shapes, run_here
from compress.devices.lock import exclusive
from compress.devices.protocol import Sampling
from compress.export import ExportError
from compress.export.pte import delegation
from compress.export.session import graph_report
from compress.measurement import Measurement
from compress.runner import answering
from compress.runner.engines import ENGINES, Unrunnable, installed
from compress.runner.engines.torch import MODES
from compress.runner.machine import machine

LIMIT_S = 600  # for the process that looks at memory


class Local(Protocol):
    """What the kinds that run here share; each adds its settings, checks them, and says what
    `setup` and `sampling` they make."""

    @property
    def setup(self) -> Setup: ...
    @property
    def sampling(self) -> Sampling: ...

    @property
    def formats(self) -> tuple[str, ...]:
        """What the engines read, by the names of exporters. Raises: DeviceError."""
        return self.setup.formats

    def fingerprint(self) -> dict[str, str]:
        """The machine, the engines and their options, and the version of the protocol; neither rounds nor the seed."""
        return fingerprint(self.setup)

    def about(self) -> dict[str, Any]:
        """What runs here."""
        return answering.probe()

    def measure(self, files: Sequence[Path], reference: Path, name: str) -> list[Measurement]:
        """Latency of each file beside `reference`, while nothing else of ours trains or measures on this machine.

        Raises: DeviceError: if a file cannot be opened, fed or run. Cost: about 0.05 s and 170 calls a file and engine.
        """
        return measure(self.setup, self.sampling, files, reference, name)

    def resources(self, file: Path, name: str) -> list[Measurement]:
        """Peak memory and, where the processor's counters can be read, energy; in a process of its own."""
        return resources(self.setup, file, name)


def check_settings(
    threads: int,
    sampling: Sampling,
    shapes: str = "",
    precision: str = PRECISIONS[0],
    mode: str = MODES[0],
    processor: str = PROCESSORS[0],
    engines: str = "",
) -> None:
    """Raises: ValueError: if a setting is impossible. (`sampling` has checked itself.)"""
    if threads < 1:
        raise ValueError(f"`threads` must be at least 1, got {threads}. Write 1 for the steadiest numbers.")
    named = [("engines", each, ENGINES) for each in engines_named(engines)]
    chosen = [("precision", precision, PRECISIONS), ("mode", mode, MODES), ("processor", processor, PROCESSORS)]
    for name, value, known in (*chosen, *named):
        if value not in known:
            raise ValueError(f"`{name}` must be one of {', '.join(known)}, got {value!r}.")
    read_shapes(shapes)


def engines_named(text: str) -> tuple[str, ...]:
    """`onnxruntime, torch` as names; the engines that `auto` has by itself where nothing is said."""
    return tuple(name for part in text.split(",") if (name := part.strip())) or RIVALS


def setup_of(wanted: str, threads: int, shapes: str = "", precision: str = PRECISIONS[0], engines: str = "") -> Setup:
    """wanted: an engine, or `auto` for those of `engines` that are installed. Raises: DeviceError: if none is."""
    chosen = chosen_engines(wanted, installed(), "this machine", engines_named(engines))
    return Setup(chosen, threads, precision, shapes, choose=wanted == "auto")


def fingerprint(setup: Setup) -> dict[str, str]:
    """The machine, the engines and their options, and the version of the protocol."""
    return described(_machine(), installed(), setup)


def measure(setup: Setup, sampling: Sampling, files: Sequence[Path], reference: Path, name: str) -> list[Measurement]:
    """Latency of each file beside `reference`, while nothing else of ours trains or measures on this machine.

    Raises: DeviceError: if a file cannot be opened, fed or run. Cost: about 0.05 s and 170 calls a file and engine.
    """

    def ask(job: dict[str, Any], sent: Sequence[Path]) -> dict[str, Any]:
        with exclusive("cpu"):
            return answering.measure(**job)

    try:
        found = measure_in(setup, sampling, files, reference, name, ask, lambda: digest(fingerprint(setup)))
        return [replace(m, details={**m.details, **_fusion(p, m.details)}) for m, p in zip(found, files, strict=True)]
    except (Unrunnable, ExportError) as error:
        raise DeviceError(str(error)) from error
    except ImportError as error:
        raise DeviceError(f"{error}. Install it again: pip install {error.name}") from error


def resources(setup: Setup, file: Path, name: str) -> list[Measurement]:
    """Peak memory and, where the processor's counters can be read, energy; in a process of its own, in the first of
    the engines. Raises: DeviceError."""
    entry = {**file_entry(read_by(setup.engines[0], file)), "engine": setup.engines[0]}
    with exclusive("cpu"):
        job = {"do": "memory", "file": entry, "options": setup.options, "shapes": read_shapes(setup.shapes)}
        answer = run_here(job, LIMIT_S)
    return resources_of(answer, file, setup.engines[0], name, digest(fingerprint(setup)))


@cache
def _machine() -> dict[str, str]:
    return machine()


def _fusion(path: Path, details: Mapping[str, Any]) -> Details:
    """How much of a quantized file ONNX Runtime runs in int8; how much of a program ExecuTorch gives to XNNPACK."""
    if details["engine"] == "executorch":
        with contextlib.suppress(ExportError):  # a program of another maker does not say
            return dict(delegation(read_by("executorch", path)))
    if details["engine"] != "onnxruntime" or b"QuantizeLinear" not in path.read_bytes():
        return {}
    report = graph_report(path)
    return {k: report[k] for k in ("fused_share", "float_nodes", "int8_nodes", "qdq_nodes")}
