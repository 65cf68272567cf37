"""PyTorch on this machine, compiled or eager, on the processor or a CUDA device; it runs the format pt2."""

from __future__ import annotations

from dataclasses import dataclass, replace

from compress.devices import DEVICES, local
from compress.devices.engines import PROCESSORS, Setup
from compress.devices.protocol import Sampling
from compress.runner.engines.torch import MODES


@DEVICES.register("torch")
@dataclass(frozen=True)
class Torch(local.Local):
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
