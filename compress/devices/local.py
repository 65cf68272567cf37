"""Engines on the processor of this machine: what the kinds `onnxruntime`, `openvino` and `auto` share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from compress.devices import DeviceError, digest
from compress.devices.answers import Details, resources_of
from compress.devices.engines import PRECISIONS, Setup, chosen_engines, described, measure_in
from compress.devices.jobs import file_entry, read_shapes, run_here
from compress.devices.lock import exclusive
from compress.devices.protocol import Sampling
from compress.export import ExportError
from compress.export.session import graph_report
from compress.measurement import Measurement
from compress.runner import answering
from compress.runner.engines import Unrunnable, installed
from compress.runner.machine import machine

LIMIT_S = 600  # for the process that looks at memory


def check_settings(threads: int, sampling: Sampling, shapes: str, precision: str = PRECISIONS[0]) -> None:
    """Raises: ValueError: if a setting is impossible. (`sampling` has checked itself.)"""
    if threads < 1:
        raise ValueError(f"`threads` must be at least 1, got {threads}. Write 1 for the steadiest numbers.")
    if precision not in PRECISIONS:
        raise ValueError(f"`precision` must be one of {', '.join(PRECISIONS)}, got {precision!r}.")
    read_shapes(shapes)


def setup_of(wanted: str, threads: int, shapes: str, precision: str = PRECISIONS[0]) -> Setup:
    """wanted: an engine, or `auto` for all that are installed. Raises: DeviceError: if it is not installed."""
    engines = chosen_engines(wanted, installed(), "this machine")
    return Setup(engines, threads, precision, shapes, choose=wanted == "auto")


def fingerprint(setup: Setup) -> dict[str, str]:
    """The machine, the engines and their options, and the version of the protocol."""
    return described(_machine(), installed(), setup)


def measure(setup: Setup, sampling: Sampling, files: Sequence[Path], reference: Path, name: str) -> list[Measurement]:
    """Latency of each file beside `reference`, while nothing else of ours trains or measures on this machine.

    Raises: DeviceError: if a file cannot be opened, fed or run. Cost: about 0.05 s and 170 calls a file and engine.
    """

    def ask(job: dict[str, Any]) -> dict[str, Any]:
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
    entry = {**file_entry(file), "engine": setup.engines[0]}
    with exclusive("cpu"):
        job = {"do": "memory", "file": entry, "options": setup.options, "shapes": read_shapes(setup.shapes)}
        answer = run_here(job, LIMIT_S)
    return resources_of(answer, file, setup.engines[0], name, digest(fingerprint(setup)))


@cache
def _machine() -> dict[str, str]:
    return machine()


def _fusion(path: Path, details: Mapping[str, Any]) -> Details:
    """For a quantized file in ONNX Runtime, how much of it is run in int8."""
    if details["engine"] != "onnxruntime" or b"QuantizeLinear" not in path.read_bytes():
        return {}
    report = graph_report(path)
    return {k: report[k] for k in ("fused_share", "float_nodes", "int8_nodes", "qdq_nodes")}
