"""Networks between two networks: the first blocks of a small one, a projection, the last blocks of a large one.

Source: Pan et al. 2023 (SN-Net), arXiv:2302.06586, in the direction that it recommends: the fast network comes first.
A stitched network is an Architecture like any other, whose stage behind the seam is entered by a `stitch`; so it is
built, counted, exported and quantized as all are. Differs: blocks of any kind are joined, wherever both networks have
strided alike, so that positions correspond; and there every pair is a stitch, since networks here have few blocks at a
resolution, where the source joins near ones of twelve. Behind the last block of the large network there is no place to
go on from, since none of its blocks would follow.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from spaces.architecture import Architecture, Stage
from spaces.network import pieces

SMALL, LARGE = "small", "large"
Place = tuple[int, int]  # (stage, block), from 0: behind that block


@dataclass(frozen=True)
class Member:
    """A network of a stitched space. stored: under which name the common store has each of its pieces, in their order.

    name: `small`, `large`, or for example `stitch-1b2-2b1`: the small network to the second block of its first stage,
    then the large one from behind the first block of its second stage. seam: those two places.
    """

    name: str
    arch: Architecture
    stored: tuple[str, ...]
    seam: tuple[Place, Place] | None = None


@dataclass(frozen=True)
class StitchSpace:
    """Two networks and every stitch between them, by the id of their architecture: the small one first, then the
    stitches, the large one last."""

    small: Architecture
    large: Architecture
    members: dict[str, Member]

    @property
    def seams(self) -> dict[str, tuple[Place, Place]]:
        """Where the stitches are, by their names."""
        return {member.name: member.seam for member in self.members.values() if member.seam}


def stitch_space(small: Architecture, large: Architecture) -> StitchSpace:
    """The space between two networks. Raises: ValueError: if they are for different data, or nothing fits together."""
    for what in ("input_shape", "classes"):
        ours, theirs = getattr(small, what), getattr(large, what)
        if ours != theirs:
            raise ValueError(f"both networks must have the same `{what}`, got {ours} and {theirs}.")
    stitches = [_stitched(small, large, *seam) for seam in _seams(small, large)]
    if not stitches:
        raise ValueError(
            "there is nothing to stitch: no block of the small network has the resolution of a block of the large one "
            f"that others follow. small: {small.describe()}; large: {large.describe()}."
        )
    found = [Member(SMALL, small, _stored(SMALL, small)), *stitches, Member(LARGE, large, _stored(LARGE, large))]
    return StitchSpace(small, large, {member.arch.id: member for member in found})


def depth(arch: Architecture, place: Place) -> int:
    """How many pieces a network has up to a place: its stem, then an enter and blocks for each stage."""
    stage, block = place
    return 1 + sum(1 + len(before.blocks) for before in arch.stages[:stage]) + 1 + block + 1


def _seams(small: Architecture, large: Architecture) -> Iterator[tuple[Place, Place]]:
    last = max(place for place, _ in _places(large))
    for left, stride in _places(small):
        for entered, other in _places(large):
            if stride == other and entered != last:
                yield left, entered


def _places(arch: Architecture) -> Iterator[tuple[Place, int]]:
    """(place, stride of what is there against the image) of every block."""
    stride = arch.stem_stride
    for i, stage in enumerate(arch.stages):
        stride *= stage.stride
        for j in range(len(stage.blocks)):
            yield (i, j), stride


def _stitched(small: Architecture, large: Architecture, left: Place, entered: Place) -> Member:
    (i, j), (k, m) = left, entered
    before, after = small.stages[i], large.stages[k]
    joined = Stage(after.width, 1, after.blocks[m + 1 :], "stitch")
    stages = (*small.stages[:i], replace(before, blocks=before.blocks[: j + 1]), joined, *large.stages[k + 1 :])
    name = f"stitch-{i + 1}b{j + 1}-{k + 1}b{m + 1}"
    first, last = _stored(SMALL, small)[: depth(small, left)], _stored(LARGE, large)[depth(large, entered) :]
    return Member(name, replace(small, stages=stages), (*first, name, *last), (left, entered))


def _stored(whose: str, arch: Architecture) -> tuple[str, ...]:
    return tuple(f"{whose}.{piece}" for piece, _ in pieces(arch))
