"""From a description to a plain torch network: a chain of named pieces."""

from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn

from spaces.architecture import Architecture
from spaces.blocks import Block
from spaces.blocks.block import key
from spaces.enters import ENTERS
from spaces.series import OneRow, for_series


@dataclass(frozen=True)
class Stem:
    """3 x 3 convolution, BatchNorm, ReLU6. dims, here and below: 2 for images, 1 for series, see series.py."""

    inputs: int
    width: int
    stride: int
    dims: int = 2

    def build(self) -> nn.Module:
        layers: OrderedDict[str, nn.Module] = OrderedDict(row=OneRow()) if self.dims == 1 else OrderedDict()
        layers["conv"] = nn.Conv2d(self.inputs, self.width, 3, self.stride, 1, bias=False)
        layers |= {"norm": nn.BatchNorm2d(self.width), "act": nn.ReLU6()}
        return _fitted(nn.Sequential(layers), self.dims)


@dataclass(frozen=True)
class Enter:
    """A registered enter between two widths."""

    kind: str
    inputs: int
    width: int
    stride: int
    dims: int = 2

    def build(self) -> nn.Module:
        return _fitted(ENTERS.get(self.kind)(self.inputs, self.width, self.stride), self.dims)


@dataclass(frozen=True)
class Placed:
    """A block at a width."""

    block: Block
    width: int
    dims: int = 2

    def build(self) -> nn.Module:
        return _fitted(self.block.build(self.width), self.dims)


@dataclass(frozen=True)
class Head:
    """Mean over positions, then a linear layer."""

    width: int
    classes: int

    def build(self) -> nn.Module:
        return PooledLinear(self.width, self.classes)


class PooledLinear(nn.Module):
    """(N, C, H, W) -> (N, classes)."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, classes)."""
        return self.linear(x.mean((2, 3)))


def _fitted(module: nn.Module, dims: int) -> nn.Module:
    return for_series(module) if dims == 1 else module


Piece = Stem | Enter | Placed | Head


@lru_cache(maxsize=8192)
def pieces(arch: Architecture) -> tuple[tuple[str, Piece], ...]:
    """The chain as (name, piece). A piece's name says position and kind, so equal names share weights in a supernet."""
    dims = arch.dims
    chain: list[tuple[str, Piece]] = [("stem", Stem(arch.input_shape[0], arch.stem_width, arch.stem_stride, dims))]
    width = arch.stem_width
    for i, stage in enumerate(arch.stages):
        chain.append((f"stage{i}_enter_{stage.enter}", Enter(stage.enter, width, stage.width, stage.stride, dims)))
        width = stage.width
        chain += [
            (f"stage{i}_block{j}_{key(block)}", Placed(block, width, dims)) for j, block in enumerate(stage.blocks)
        ]
    chain.append(("head", Head(width, arch.classes)))
    return tuple(chain)


def build(arch: Architecture) -> nn.Sequential:
    """The stand-alone network, freshly initialised: (N, *input_shape) float, normalised -> logits (N, classes)."""
    return nn.Sequential(OrderedDict((name, piece.build()) for name, piece in pieces(arch)))


@lru_cache(maxsize=4096)
def skeleton(piece: Piece, training: bool = False) -> nn.Module:
    """A piece on the meta device: names and shapes, no values. Shared: never move it or change its mode.

    A network is a chain, so a few hundred pieces make all networks of a space; whole networks would almost never hit
    a cache in training (a fresh one costs 5 ms and 180 kB).
    """
    with torch.device("meta"):
        return piece.build().train(training)
