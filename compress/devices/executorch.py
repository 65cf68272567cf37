"""ExecuTorch with XNNPACK on the processor of this machine; it runs the format pte."""

from __future__ import annotations

from dataclasses import dataclass

from compress.devices import DEVICES, local
from compress.devices.engines import Setup
from compress.devices.protocol import Sampling


@DEVICES.register("executorch")
@dataclass(frozen=True)
class ExecuTorch(local.Local):
    """threads: of XNNPACK. rounds, calls, seed: as of `onnxruntime`. A network is measured, and its accuracy evaluated,
    in the program that ExecuTorch made of it, int8 in XNNPACK's own scheme.
    """

    threads: int = 1
    rounds: int = 30
    calls: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        local.check_settings(self.threads, self.sampling)

    @property
    def sampling(self) -> Sampling:
        return Sampling(self.rounds, self.calls, self.seed)

    @property
    def setup(self) -> Setup:
        return local.setup_of("executorch", self.threads)
