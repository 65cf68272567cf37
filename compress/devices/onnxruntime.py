"""ONNX Runtime on the processor of this machine."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from compress.devices import DEVICES, DeviceError, digest
from compress.devices.lock import exclusive
from compress.devices.machine import describe_machine
from compress.devices.protocol import VERSION, Call, Samples, Sampling, quiet_latency, ratio, sample
from compress.export import ExportError
from compress.export.session import graph_report, open_session
from compress.measurement import Measurement

if TYPE_CHECKING:
    import onnxruntime as ort


@DEVICES.register("onnxruntime")
@dataclass(frozen=True)
class OnnxRuntime:
    """threads: of the runtime. rounds, calls, seed: of the protocol (see protocol.py); 60 rounds for a final claim."""

    threads: int = 1
    rounds: int = 30
    calls: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise ValueError(f"`threads` must be at least 1, got {self.threads}. Write 1 for the steadiest numbers.")
        Sampling(self.rounds, self.calls, self.seed)

    def fingerprint(self) -> dict[str, str]:
        """The machine, the runtime and its options, and the version of the protocol; neither rounds nor the seed."""
        from importlib.metadata import version

        options = f"threads={self.threads} sequential all-optimisations no-spinning bound-io batch=1"
        return describe_machine() | {
            "runtime": "onnxruntime",
            "runtime_version": version("onnxruntime"),
            "options": options,
            "protocol": VERSION,
        }

    def measure(self, files: Sequence[Path], reference: Path, name: str) -> list[Measurement]:
        """Latency of each file beside `reference`, while nothing else of ours trains or measures on this machine.

        Raises: DeviceError: if a file cannot be opened or run. Cost: about 0.05 s and 170 calls a file.
        """
        try:
            with exclusive("cpu"):
                calls = [ready_call(path, self.threads) for path in (reference, *files)]
                sampled = sample(calls, Sampling(self.rounds, self.calls, self.seed))
            reports = [_fusion(path) for path in files]
        except ExportError as error:
            raise DeviceError(str(error)) from error
        common = {"protocol": VERSION, "rounds_id": uuid.uuid4().hex, "reference": _sha256(reference)}
        fingerprint = digest(self.fingerprint())
        return [
            _measurement(path, found, sampled[0], common | report, name, fingerprint)
            for path, found, report in zip(files, sampled[1:], reports, strict=True)
        ]


def ready_call(path: Path, threads: int) -> Call:
    """A function that runs the file once on a fixed input, with input and output bound: 5-15 us less than copying.

    Raises: ExportError: if the file cannot be opened; DeviceError: if it cannot be run.
    """
    import onnxruntime as ort

    session = open_session(path, threads)
    binding = session.io_binding()
    generator = np.random.default_rng(0)
    for given in session.get_inputs():
        if given.type != "tensor(float)" or not all(isinstance(size, int) for size in given.shape):
            raise DeviceError(
                f"{path.name} has the input {given.name} of {given.type} {given.shape}; a file to measure takes "
                "float pixels of a fixed shape. Export it with batch 1."
            )
        value = ort.OrtValue.ortvalue_from_numpy(generator.random(given.shape, dtype=np.float32))
        binding.bind_ortvalue_input(given.name, value)
    for made in session.get_outputs():
        binding.bind_output(made.name, "cpu")
    _run_once(session, binding, path)
    return lambda: session.run_with_iobinding(binding)


def _run_once(session: ort.InferenceSession, binding: ort.IOBinding, path: Path) -> None:
    try:
        session.run_with_iobinding(binding)
    except Exception as error:  # onnxruntime's exceptions have no common ancestor but Exception
        reason = str(error).splitlines()[0]
        raise DeviceError(f"{path.name} opens but does not run: {reason} Export the network again.") from error


def _measurement(
    path: Path, found: Samples, reference: Samples, common: dict[str, str | int | float], name: str, fingerprint: str
) -> Measurement:
    latency, against = quiet_latency(found), ratio(found, reference)
    p50, p90, p99 = np.percentile(found.seconds, [50, 90, 99]) * 1e3
    details = common | {
        "median": float(np.median(found.minima)) * 1e3,
        "p50": float(p50),
        "p90": float(p90),
        "p99": float(p99),
        "ratio": against.value,
        "ratio_low": against.low,
        "ratio_high": against.high,
        "reference_ms": quiet_latency(reference).value * 1e3,  # how quiet the machine was: compare before values
        "rounds": len(found.seconds),
        "calls": found.seconds.shape[1],
        "batch": found.batch,
    }
    return Measurement(
        metric="latency_ms",
        value=latency.value * 1e3,
        unit="ms",
        low=latency.low * 1e3,
        high=latency.high * 1e3,
        kind="measured",
        repeats=found.seconds.size * found.batch,
        device=name,
        fingerprint=fingerprint,
        artifact=_sha256(path),
        samples=(found.seconds * 1e3).astype("<f4").tobytes(),
        details=details,
    )


def _fusion(path: Path) -> dict[str, str | int | float]:
    """For a quantized file, how much of it the runtime runs in int8."""
    if b"QuantizeLinear" not in path.read_bytes():
        return {}
    report = graph_report(path)
    return {k: report[k] for k in ("fused_share", "float_nodes", "int8_nodes", "qdq_nodes")}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
