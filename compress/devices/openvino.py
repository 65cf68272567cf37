"""OpenVINO on the processor of this machine; it reads ONNX files itself."""

from __future__ import annotations

from dataclasses import dataclass

from compress.devices import DEVICES, local
from compress.devices.engines import PRECISIONS, Setup
from compress.devices.protocol import Sampling


@DEVICES.register("openvino")
@dataclass(frozen=True)
class OpenVino(local.Local):
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
