"""OpenVINO on the processor of this machine; it reads ONNX files itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compress.devices import DEVICES, local
from compress.devices.engines import PRECISIONS, Setup
from compress.devices.protocol import Sampling
from compress.measurement import Measurement
from compress.runner import answering


@DEVICES.register("openvino")
@dataclass(frozen=True)
class OpenVino:
    """precision: of its arithmetic: `f32`, or `bf16` and `f16` where the processor has them. Accuracy is evaluated in
    ONNX Runtime, so only `f32` gives the answers that were judged. The rest as of `onnxruntime`.
    """

    threads: int = 1
    precision: str = PRECISIONS[0]
    rounds: int = 30
    calls: int = 5
    seed: int = 0
    shapes: str = ""

    def __post_init__(self) -> None:
        local.check_settings(self.threads, self.sampling, self.shapes, self.precision)

    @property
    def sampling(self) -> Sampling:
        return Sampling(self.rounds, self.calls, self.seed)

    @property
    def setup(self) -> Setup:
        return local.setup_of("openvino", self.threads, self.shapes, self.precision)

    def fingerprint(self) -> dict[str, str]:
        """The machine, the runtime and its options, and the version of the protocol; neither rounds nor the seed."""
        return local.fingerprint(self.setup)

    def about(self) -> dict[str, Any]:
        """What runs here."""
        return answering.probe()

    def measure(self, files: Sequence[Path], reference: Path, name: str) -> list[Measurement]:
        """Latency of each file beside `reference`, while nothing else of ours trains or measures on this machine.

        Raises: DeviceError: if a file cannot be opened, fed or run. Cost: about 0.05 s and 170 calls a file.
        """
        return local.measure(self.setup, self.sampling, files, reference, name)

    def resources(self, file: Path, name: str) -> list[Measurement]:
        """Peak memory and, where the processor's counters can be read, energy; in a process of its own."""
        return local.resources(self.setup, file, name)
