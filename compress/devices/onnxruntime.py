"""ONNX Runtime on the processor of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from compress import runner
from compress.devices import DEVICES, DeviceError, digest
from compress.devices.answers import Details, measurements_of, resources_of
from compress.devices.jobs import file_entry, measure_job, options_text, read_shapes, run_here
from compress.devices.lock import exclusive
from compress.devices.protocol import VERSION, Sampling
from compress.export import ExportError
from compress.export.session import graph_report
from compress.measurement import Measurement

LIMIT_S = 600  # for the process that looks at memory


@DEVICES.register("onnxruntime")
@dataclass(frozen=True)
class OnnxRuntime:
    """threads: of the runtime. rounds, calls, seed: of the protocol (see protocol.py); 60 rounds for a final claim.

    shapes: sizes for inputs that leave some open, `input=1x3x224x224` and more after a comma; open sizes are 1 else.
    """

    threads: int = 1
    rounds: int = 30
    calls: int = 5
    seed: int = 0
    shapes: str = ""

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise ValueError(f"`threads` must be at least 1, got {self.threads}. Write 1 for the steadiest numbers.")
        Sampling(self.rounds, self.calls, self.seed)
        read_shapes(self.shapes)

    def fingerprint(self) -> dict[str, str]:
        """The machine, the runtime and its options, and the version of the protocol; neither rounds nor the seed."""
        from importlib.metadata import version

        return dict(_machine()) | {
            "runtime": "onnxruntime",
            "runtime_version": version("onnxruntime"),
            "options": options_text(self.threads, self.shapes),
            "protocol": VERSION,
        }

    def about(self) -> dict[str, Any]:
        """What runs here."""
        return runner.probe()

    def measure(self, files: Sequence[Path], reference: Path, name: str) -> list[Measurement]:
        """Latency of each file beside `reference`, while nothing else of ours trains or measures on this machine.

        Raises: DeviceError: if a file cannot be opened, fed or run. Cost: about 0.05 s and 170 calls a file.
        """
        job = measure_job((reference, *files), self.threads, Sampling(self.rounds, self.calls, self.seed), self.shapes)
        try:
            with exclusive("cpu"):
                answer = runner.measure(**job)
            reports = [_fusion(path) for path in files]
        except (runner.Unrunnable, ExportError) as error:
            raise DeviceError(str(error)) from error
        found = measurements_of(answer, files, reference, self.threads, name, digest(self.fingerprint()))
        return [replace(m, details={**m.details, **r}) for m, r in zip(found, reports, strict=True)]

    def resources(self, file: Path, name: str) -> list[Measurement]:
        """Peak memory and, where the processor's counters can be read, energy; in a process of its own."""
        job = {"do": "memory", "file": file_entry(file), "threads": self.threads, "shapes": read_shapes(self.shapes)}
        with exclusive("cpu"):
            answer = run_here(job, LIMIT_S)
        return resources_of(answer, file, name, digest(self.fingerprint()))


@cache
def _machine() -> dict[str, str]:
    return runner.machine()


def _fusion(path: Path) -> Details:
    """For a quantized file, how much of it the runtime runs in int8."""
    if b"QuantizeLinear" not in path.read_bytes():
        return {}
    report = graph_report(path)
    return {k: report[k] for k in ("fused_share", "float_nodes", "int8_nodes", "qdq_nodes")}
