"""ONNX Runtime on this machine, on the processor or a CUDA device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from compress.devices import DEVICES, local
from compress.devices.engines import PROCESSORS, Setup
from compress.devices.protocol import Sampling
from compress.measurement import Measurement
from compress.runner import answering


@DEVICES.register("onnxruntime")
@dataclass(frozen=True)
class OnnxRuntime:
    """threads: of the runtime. rounds, calls, seed: of the protocol (see protocol.py); 60 rounds for a final claim.

    shapes: sizes for inputs that leave some open, `input=1x3x224x224` and more after a comma; open sizes are 1 else.
    processor: `cpu`, or `cuda` through onnxruntime-gpu, which was not run by those who wrote it.
    """

    threads: int = 1
    rounds: int = 30
    calls: int = 5
    seed: int = 0
    shapes: str = ""
    processor: str = PROCESSORS[0]

    def __post_init__(self) -> None:
        local.check_settings(self.threads, self.sampling, self.shapes, processor=self.processor)

    @property
    def sampling(self) -> Sampling:
        return Sampling(self.rounds, self.calls, self.seed)

    @property
    def setup(self) -> Setup:
        return replace(local.setup_of("onnxruntime", self.threads, self.shapes), processor=self.processor)

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
