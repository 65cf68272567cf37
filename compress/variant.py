"""One concrete model on its way to a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from torch import nn

from compress.foreign import Description, counts_of
from spaces.counts import Counts

if TYPE_CHECKING:
    from compress.context import Context
    from compress.distill.assistant import Assistant


class Quantization(Protocol):
    """How the int8 file of a network is made. Hashable; equal settings give equal files of one network."""

    @property
    def scheme(self) -> str:
        """What other engines' formats do likewise in their own integers: `static`, `dynamic`, or "" for neither."""
        ...

    def calibration(self, context: Context) -> np.ndarray:
        """The training images that the ranges of activations come from, (n, C, H, W) raw pixels."""
        ...

    def write(self, network: nn.Module, float_path: Path, context: Context, path: Path) -> Path:
        """Write `path` from the network or from its exported float file, whichever is quantized; return it."""
        ...

    def expected(self, network: nn.Module, context: Context, path: Path, x: np.ndarray) -> np.ndarray:
        """What that file should answer to `x`, (n, C, H, W) raw pixels: (n, classes), without the runtime's int8."""
        ...


@dataclass(frozen=True)
class Variant:
    """A network with its description, and how its file is made from it.

    arch: an Architecture, from which the network can be built, or the Foreign description of a user's own.
    network: float32, normalised input -> logits, in eval mode; treated as frozen, steps work on copies. precision:
    int8 means that `quantization` makes the file. It is the settings of the step that quantized: weights and settings
    are all that a resumed study needs to make the same file again. assistant: who taught it, where that was not the
    context's teacher.
    """

    arch: Description
    network: nn.Module = field(compare=False)
    precision: Literal["float32", "int8"] = "float32"
    quantization: Quantization | None = None
    assistant: Assistant | None = field(default=None, compare=False)

    @property
    def counts(self) -> Counts:
        """Parameters, MACs and memory of one evaluation."""
        return counts_of(self.arch)
