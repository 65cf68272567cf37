"""What can be shortened in a network of ours, found by comparing shapes.

A dimension is a number of units (hidden channels, heads, experts, groups of a rational activation, the width of a
stage). Which entries of which tensors belong to it needs no list: build the network with one unit less, and every axis
whose length changed belongs to it, and every layer that is gone. So a new block is prunable by what it already says of
itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from spaces.architecture import Architecture
from spaces.blocks.block import HasNested
from spaces.layers import RATIONAL_GROUP
from spaces.network import pieces
from spaces.windows import shapes

WIDTH_UNIT = RATIONAL_GROUP  # channels of a stage go in such groups: a rational function spans one


@dataclass(frozen=True)
class Dimension:
    """stage: index. block: index in the stage, or -1 for the stage's width. name: as the block calls it."""

    stage: int
    block: int
    name: str
    units: int


@dataclass(frozen=True)
class Axis:
    """An axis of a tensor that holds `per_unit` consecutive entries for every unit of a dimension, from `start` on."""

    tensor: str
    axis: int
    per_unit: int
    start: int = 0


@dataclass(frozen=True)
class Layers:
    """A tensor that is there once for every unit of a dimension, as experts' are: `before`, the unit, `after`."""

    before: str
    after: str

    @property
    def tensor(self) -> str:
        """The first unit's; those of the others are of its kind."""
        return self.of(0)

    def of(self, unit: int) -> str:
        """The name of a unit's tensor."""
        return f"{self.before}.{unit}.{self.after}"


def dimensions(arch: Architecture) -> list[Dimension]:
    """Every dimension of a network, with how many units it has."""
    found = []
    for i, stage in enumerate(arch.stages):
        if stage.width % WIDTH_UNIT == 0:
            found.append(Dimension(i, -1, "width", stage.width // WIDTH_UNIT))
        for j, block in enumerate(stage.blocks):
            found += [Dimension(i, j, name, units) for name, units in block.units(stage.width).items()]
    return found


def shortened(arch: Architecture, dimension: Dimension, units: int) -> Architecture:
    """The architecture with `units` units in that dimension and all others as they were."""
    stage = arch.stages[dimension.stage]
    if dimension.block >= 0:
        block = stage.blocks[dimension.block].resized(stage.width, dimension.name, units)
        blocks = (*stage.blocks[: dimension.block], block, *stage.blocks[dimension.block + 1 :])
        return arch.with_stage(dimension.stage, replace(stage, blocks=blocks))
    width = units * WIDTH_UNIT
    resized = []
    for block in stage.blocks:
        for name, count in block.units(stage.width).items():
            block = block.resized(width, name, count)
        resized.append(block)
    return arch.with_stage(dimension.stage, replace(stage, width=width, blocks=tuple(resized)))


@lru_cache(maxsize=4096)
def axes(arch: Architecture, dimension: Dimension) -> tuple[Axis | Layers, ...]:
    """What belongs to a dimension of at least 2 units; nothing where these have an order of their own and the last go
    (the degree of polynomials).

    An axis that is not a whole number of entries a unit (the squeezed channels of squeeze-excitation) is left out: it
    is shortened from its end and never reordered.
    """
    if dimension.block >= 0:
        block = arch.stages[dimension.stage].blocks[dimension.block]
        if isinstance(block, HasNested) and dimension.name in block.nested:
            return ()
    before, after = dict(_shapes(arch)), dict(_shapes(shortened(arch, dimension, dimension.units - 1)))
    found: list[Axis | Layers] = []
    for name, shape in after.items():
        for axis, (full, part) in enumerate(zip(before[name], shape, strict=True)):
            if full != part and full % dimension.units == 0 and full - part == full // dimension.units:
                found.append(Axis(name, axis, full // dimension.units))
    for name in before:
        if name not in after:
            found.append(Layers(*name.split(f".{dimension.units - 1}.", 1)))
    return tuple(found)


def _shapes(arch: Architecture) -> list[tuple[str, tuple[int, ...]]]:
    return [(f"{name}.{leaf}", shape) for name, piece in pieces(arch) for leaf, shape, _ in shapes(piece)]


def ordered(tensors: dict[str, Tensor], found: tuple[Axis | Layers, ...], order: Tensor) -> dict[str, Tensor]:
    """The tensors with the units of a dimension in another order: the same function of the input."""
    moved = dict(tensors)
    for one in found:
        if isinstance(one, Layers):
            moved |= {one.of(place): tensors[one.of(unit)] for place, unit in enumerate(order.tolist())}
            continue
        entries = (order[:, None] * one.per_unit + torch.arange(one.per_unit)).reshape(-1)
        moved[one.tensor] = moved[one.tensor].index_select(one.axis, entries)
    return moved


def by_unit(tensors: Mapping[str, Tensor], one: Axis | Layers, units: int) -> Tensor:
    """(units, entries): what of the tensors belongs to each unit."""
    if isinstance(one, Layers):
        return torch.stack([tensors[one.of(unit)].reshape(-1) for unit in range(units)])
    values = tensors[one.tensor].narrow(one.axis, one.start, units * one.per_unit)
    return values.movedim(one.axis, 0).reshape(units, -1)
