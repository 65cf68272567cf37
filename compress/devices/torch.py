"""PyTorch on this machine, compiled or eager, on the processor or a CUDA device; it runs the format pt2."""

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
from compress.runner.engines.torch import MODES


@DEVICES.register("torch")
@dataclass(frozen=True)
class Torch:
    """mode: `compile` (TorchInductor; needs a C++ compiler, and 5-30 s a network at first) or `eager`. processor:
    `cpu`, or `cuda`, where a call is one CUDA graph; that was not run by those who wrote it. The rest as of
    `onnxruntime`.
    """

    mode: str = MODES[0]
    processor: str = PROCESSORS[0]
    threads: int = 1
    rounds: int = 30
    calls: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        local.check_settings(self.threads, self.sampling, mode=self.mode, processor=self.processor)

    @property
    def sampling(self) -> Sampling:
        return Sampling(self.rounds, self.calls, self.seed)

    @property
    def setup(self) -> Setup:
        return replace(local.setup_of("torch", self.threads), mode=self.mode, processor=self.processor)

    @property
    def formats(self) -> tuple[str, ...]:
        """What the engine reads. Raises: DeviceError."""
        return self.setup.formats

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
