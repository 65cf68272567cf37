"""An architecture as numbers for a cost model: what each kind of its pieces has to do, in numbers that add up."""

import numpy as np

from spaces.architecture import Architecture
from spaces.network import Enter, Head, Piece, Placed, Stem, pieces
from spaces.space import SearchSpace
from spaces.waterline import kernels_of

COLUMNS = ("kernels", "waterline", "moved")
SMOOTH = ("smooth kernels", "smoothed")
ALL = "all"


def feature_names(space: SearchSpace) -> list[str]:
    """Names of the columns of `features`: three for the whole network, then three for each kind of piece, then two of
    its smooth activations."""
    named = [f"{kind} {column}" for kind in (ALL, *sorted(kinds_of(space))) for column in COLUMNS]
    return [*named, *(f"{ALL} {column}" for column in SMOOTH)]


def features(space: SearchSpace, arch: Architecture) -> np.ndarray:
    """(F,) float64 in the order of `feature_names`: sums over the network's pieces, in kernels, MACs and elements.

    Sums, because a network takes about as long as its parts together; by kind, because a kernel of one kind costs more
    than its roofline says and of another less, by how much depends on the device; smooth activations apart, because
    whether an engine fuses them decides what they cost. Defined for any network of the
    space's kinds: pruned ones, and those of other spaces. Raises ValueError for others.
    """
    known = sorted(kinds_of(space))
    rows = {kind: np.zeros(len(COLUMNS)) for kind in known}
    smooth = np.zeros(len(SMOOTH))
    shape = arch.input_shape
    for _, piece in pieces(arch):
        found, shape = kernels_of(piece, shape)
        kind = kind_of(piece)
        if kind not in rows:
            raise ValueError(f"the architecture has the kind {kind!r}, and the space only {', '.join(known)}.")
        rows[kind] += (found.kernels, found.waterline, found.moved)
        smooth += found.smooth
    each = np.stack([rows[kind] for kind in known])
    return np.concatenate([each.sum(0), each.ravel(), smooth])


def kinds_of(space: SearchSpace) -> set[str]:
    """The kinds of pieces that networks of a space are made of."""
    blocks = {choice.kind for stage in space.stages for choice in stage.blocks}
    return blocks | {f"enter {stage.enter}" for stage in space.stages} | {"stem", "head"}


def kind_of(piece: Piece) -> str:
    """What a piece is, whatever its size: stem, head, the enter's name, or the block's."""
    if isinstance(piece, Placed):
        return piece.block.kind
    return f"enter {piece.kind}" if isinstance(piece, Enter) else {Stem: "stem", Head: "head"}[type(piece)]
