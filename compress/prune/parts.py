"""What a network is made of, piece by piece, as far as latency is concerned."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

import torch
from torch import nn

from compress.export.screening import export_part

Kind = Literal["conv", "depthwise", "linear"]


class Part(Protocol):
    """A frozen, hashable description: equal parts take equally long. A `spaces.placements.Placement` is one."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of one input, without the batch."""
        ...

    def build(self) -> nn.Module:
        """Freshly initialised: latency does not depend on weights."""
        ...


@dataclass(frozen=True)
class Layer:
    """A convolution or a linear layer with its bias. size: of its input, (H, W) or (L,), or the positions (N,) of a
    linear one.

    A depthwise layer has as many inputs as outputs.
    """

    kind: Kind
    inputs: int
    outputs: int
    size: tuple[int, ...] = ()
    kernel: tuple[int, ...] = (1, 1)
    stride: tuple[int, ...] = (1, 1)
    padding: tuple[int, ...] | str = (0, 0)
    dilation: tuple[int, ...] = (1, 1)

    def __post_init__(self) -> None:
        for name in ("inputs", "outputs"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1, got {getattr(self, name)}.")

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(C, H, W) or (C, L), or (..., C) of a linear layer."""
        return (*self.size, self.inputs) if self.kind == "linear" else (self.inputs, *self.size)

    def build(self) -> nn.Module:
        """The plain torch layer."""
        if self.kind == "linear":
            return nn.Linear(self.inputs, self.outputs)
        groups = self.inputs if self.kind == "depthwise" else 1
        form = (self.kernel, self.stride, self.padding, self.dilation, groups)
        kind = nn.Conv1d if len(self.kernel) == 1 else nn.Conv2d
        return kind(self.inputs, self.outputs, *form)  # type: ignore[arg-type]

    def narrowed(self, inputs: int = 0, outputs: int = 0) -> "Layer":
        """With so many inputs and outputs fewer; of a depthwise layer both are the same."""
        if self.kind == "depthwise":
            return replace(self, inputs=self.inputs - outputs, outputs=self.outputs - outputs)
        return replace(self, inputs=self.inputs - inputs, outputs=self.outputs - outputs)


def square(kind: Kind, width: int, kernel: int, size: int) -> Layer:
    """A layer from `width` to `width` channels that keeps the size: what a network of that width is made of."""
    if kind == "linear":
        return Layer(kind, width, width)
    return Layer(kind, width, width, (size, size), (kernel, kernel), padding=(kernel // 2, kernel // 2))


def write_part(part: Part, folder: Path, formats: Sequence[str] = ("onnx",)) -> Path:
    """The part as a file; equal parts give equal bytes, so that a measurement is found again by them.

    Raises: ExportError. Cost: 0.05-0.2 s.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(zlib.crc32(repr(part).encode()))
        built = part.build()
    return export_part(built, part.input_shape, folder / f"{zlib.crc32(repr(part).encode()):08x}.onnx", formats)
