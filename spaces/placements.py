"""Where each piece of a space's networks can stand: the distinct pieces with the shapes they are given."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from torch import nn

from spaces.architecture import Architecture, block_tree
from spaces.blocks import BLOCKS, Block
from spaces.features import kind_of
from spaces.network import Enter, Head, Piece, Placed, Stem, pieces
from spaces.space import BlockChoice, SearchSpace
from spaces.waterline import kernels_of


@dataclass(frozen=True)
class Placement:
    """A piece and the shape, without the batch, of what it is given. Placements with equal `key` are the same work."""

    piece: Piece
    input_shape: tuple[int, ...]

    def build(self) -> nn.Module:
        """The piece, freshly initialised."""
        return self.piece.build()

    @cached_property
    def key(self) -> str:
        """Canonical JSON, the same in every space and study."""
        piece = self.piece
        tree: dict[str, Any] = {"piece": kind_of(piece), "shape": [int(size) for size in self.input_shape]}
        if isinstance(piece, Placed):
            tree |= {"block": block_tree(piece.block), "width": piece.width, "dims": piece.dims}
        else:
            tree |= {field.name: getattr(piece, field.name) for field in fields(piece)}
        return json.dumps(tree, sort_keys=True, separators=(",", ":"))

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Of what it puts out; a block keeps the shape."""
        return self.input_shape if isinstance(self.piece, Placed) else kernels_of(self.piece, self.input_shape)[1]


def placements_of(arch: Architecture) -> Iterator[Placement]:
    """The pieces of one network, from its images to its classes."""
    shape: tuple[int, ...] = arch.input_shape
    for _, piece in pieces(arch):
        placed = Placement(piece, shape)
        shape = placed.output_shape
        yield placed


def placements(space: SearchSpace) -> list[Placement]:
    """Every different placement in networks of the space: all networks, of which there are many more, are made of
    these. Ordered from images to classes. Cost: a second for a hundred.
    """
    found: dict[str, Placement] = {}

    def place(piece: Piece, shapes: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
        placed = [Placement(piece, shape) for shape in shapes]
        found.update((one.key, one) for one in placed)
        return [one.output_shape for one in placed]

    shapes = [
        shape
        for width in space.stem_width
        for shape in place(Stem(space.input_shape[0], width, space.stem_stride, space.dims), [space.input_shape])
    ]
    for stage in space.stages:
        entered = [
            shape
            for width in stage.width
            for given in shapes
            for shape in place(Enter(stage.enter, given[0], width, stage.stride, space.dims), [given])
        ]
        shapes = list(dict.fromkeys(entered))
        for choice, shape in itertools.product(stage.blocks, shapes):
            for block in blocks_of(choice):
                place(Placed(block, shape[0], space.dims), [shape])
    for shape in shapes:
        place(Head(shape[0], space.classes), [shape])
    return list(found.values())


def blocks_of(choice: BlockChoice) -> Iterator[Block]:
    """Every block that a choice allows."""
    make: Any = BLOCKS.get(choice.kind)
    names = [name for name, _ in choice.fields]
    for values in itertools.product(*(options for _, options in choice.fields)):
        yield make(**dict(zip(names, values, strict=True)))
