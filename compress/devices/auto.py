"""Every engine that is installed on this machine: each file counts as in the one that runs it fastest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from compress.devices import DEVICES, digest, local
from compress.devices.engines import PRECISIONS, Setup
from compress.devices.protocol import Sampling
from compress.measurement import Measurement
from compress.runner.engines.torch import MODES


@DEVICES.register("auto")
@dataclass(frozen=True)
class Auto(local.Local):
    """Which engine it was is in each measurement (`engine`), with how many times as long the others take. A file that
    one engine cannot run is measured in the others. engines: of which, with commas; nothing said, onnxruntime, openvino
    and executorch. precision: of OpenVINO's arithmetic. mode: of torch. The rest as of `onnxruntime`.
    """

    threads: int = 1
    engines: str = ""
    precision: str = PRECISIONS[0]
    mode: str = MODES[0]
    rounds: int = 30
    calls: int = 5
    seed: int = 0
    shapes: str = ""

    def __post_init__(self) -> None:
        local.check_settings(self.threads, self.sampling, self.shapes, self.precision, self.mode, engines=self.engines)

    @property
    def sampling(self) -> Sampling:
        return Sampling(self.rounds, self.calls, self.seed)

    @property
    def setup(self) -> Setup:
        setup = local.setup_of("auto", self.threads, self.shapes, self.precision, self.engines)
        return replace(setup, mode=self.mode)

    def resources(self, file: Path, name: str) -> list[Measurement]:
        """Peak memory and, where the processor's counters can be read, energy; in the engine that is the fastest."""
        (found,) = local.measure(self.setup, self.sampling, [file], file, name)
        fastest = replace(self.setup, engines=(str(found.details["engine"]),))
        kept = local.resources(fastest, file, name)
        return [replace(m, fingerprint=digest(self.fingerprint())) for m in kept]
