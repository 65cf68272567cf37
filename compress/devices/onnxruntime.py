"""ONNX Runtime on this machine, on the processor or a CUDA device."""

from __future__ import annotations

from dataclasses import dataclass, replace

from compress.devices import DEVICES, local
from compress.devices.engines import PROCESSORS, Setup
from compress.devices.protocol import Sampling


@DEVICES.register("onnxruntime")
@dataclass(frozen=True)
class OnnxRuntime(local.Local):
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
