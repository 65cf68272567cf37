"""An architecture as numbers for a cost model: what each kind of kernel has to do, in numbers that add up."""

import numpy as np

from spaces.architecture import Architecture
from spaces.network import Enter, Head, Piece, Placed, Stem, pieces
from spaces.space import SearchSpace
from spaces.waterline import KINDS, MULTIPLYING, Kernels, kernels_of

ALL = "all"


def feature_names() -> list[str]:
    """Names of the columns of `features`: kernels, waterline and elements of the whole network, then of each kind of
    kernel, without a waterline where nothing is multiplied."""
    return [f"{kind} {column}" for kind in (ALL, *KINDS) for column in _columns(kind)]


def features(arch: Architecture) -> np.ndarray:
    """(F,) float64 in the order of `feature_names`: sums over the network's kernels, see spaces/waterline.py.

    Sums, because a network takes about as long as its parts together; by kind of kernel and not of block, because that
    is what devices differ in, and because any network has them: a pruned one, or one of blocks that came later.
    """
    sums = {kind: np.zeros(len(Kernels._fields)) for kind in KINDS}
    shape = arch.input_shape
    for _, piece in pieces(arch):
        found, shape = kernels_of(piece, shape)
        for kind, work in found.items():
            sums[kind] += work
    sums[ALL] = np.sum(list(sums.values()), axis=0)
    by_name = {kind: dict(zip(Kernels._fields, values, strict=True)) for kind, values in sums.items()}
    return np.array([by_name[kind][column] for kind in (ALL, *KINDS) for column in _columns(kind)])


def _columns(kind: str) -> tuple[str, ...]:
    return tuple(column for column in Kernels._fields if column != "waterline" or kind in (ALL, *MULTIPLYING))


def kinds_of(space: SearchSpace) -> set[str]:
    """The kinds of pieces that networks of a space are made of."""
    blocks = {choice.kind for stage in space.stages for choice in stage.blocks}
    return blocks | {f"enter {stage.enter}" for stage in space.stages} | {"stem", "head"}


def kind_of(piece: Piece) -> str:
    """What a piece is, whatever its size: stem, head, the enter's name, or the block's."""
    if isinstance(piece, Placed):
        return piece.block.kind
    return f"enter {piece.kind}" if isinstance(piece, Enter) else {Stem: "stem", Head: "head"}[type(piece)]
