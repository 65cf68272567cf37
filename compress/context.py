"""What every step may use: the data, the teacher, the place to write, and who wants to know how far it is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from compress.foreign import Description
from compress.measurement import Measurement
from compress.train import Progress
from spaces.tasks import Data


@dataclass(frozen=True)
class Context:
    """data: of the study. teacher: a trained network to distill from, or None; teacher_arch: its description, for what
    changes a copy of it. folder: scratch space for files.

    before_step: called between training steps; it may raise to stop. files: exported files by (id of the network,
    quantization or None), with the network itself. graphs: exported graphs by architecture, to be filled with other
    weights. measure: latencies of files, comparable between calls, on the device that judges, for steps that ask it;
    None where there is no device. parts_ms: latencies of parts that were measured, see prune/staircase.py.
    simulations: int8 networks in torch, by the same keys as files. formats: those that the engines of the devices read,
    see `compress/export/formats.py`. complete: ONNX files beside which those lie.
    """

    data: Data
    teacher: nn.Module | None
    folder: Path
    seed: int = 0
    progress: Progress | None = None
    before_step: Callable[[], None] | None = None
    files: dict[tuple[int, Any], tuple[nn.Module, Path]] = field(default_factory=dict, compare=False)
    graphs: dict[str, Any] = field(default_factory=dict, compare=False)
    measure: Callable[[Sequence[Path]], Sequence[Measurement]] | None = None
    parts_ms: dict[Any, float] = field(default_factory=dict, compare=False)
    simulations: dict[tuple[int, Any], tuple[nn.Module, Any]] = field(default_factory=dict, compare=False)
    formats: tuple[str, ...] = ("onnx",)
    complete: set[Path] = field(default_factory=set, compare=False)
    teacher_arch: Description | None = None

    def calibration(self, images: int, after: int = 0) -> np.ndarray:
        """(images, C, H, W) raw float32 pixels of the training part, the same ones for the same seed.

        after: how many to pass over first, for images that no calibration of so many has seen. Fewer where the training
        part has no more.
        """
        rows = np.random.default_rng(self.seed).permutation(len(self.data.train.y))[after : after + images]
        return self.data.train.x[np.sort(rows)].float().numpy()
