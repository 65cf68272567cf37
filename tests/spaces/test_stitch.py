"""Networks between two networks: which there are, and what they are made of."""

from dataclasses import replace

import pytest

from spaces.architecture import Architecture, Stage
from spaces.blocks.attention import Attention
from spaces.blocks.kan import KAN
from spaces.blocks.mbconv import MBConv
from spaces.counts import count
from spaces.network import pieces
from spaces.stitch import stitch_space

SMALL = Architecture((1, 8, 8), 10, 8, 1, (Stage(8, 1, (MBConv(3, 1),)), Stage(16, 2, (MBConv(5, 2), KAN()))))
LARGE = Architecture(
    (1, 8, 8), 10, 16, 1, (Stage(24, 1, (MBConv(5, 4), MBConv())), Stage(48, 2, (Attention(), MBConv(3, 2))))
)


def test_every_pair_of_blocks_after_equal_strides_is_a_stitch_but_those_behind_which_nothing_follows() -> None:
    names = [member.name for member in stitch_space(SMALL, LARGE).members.values()]
    first = ["stitch-1b1-1b1", "stitch-1b1-1b2"]
    assert names == ["small", *first, "stitch-2b1-2b1", "stitch-2b2-2b1", "large"]


def test_a_stitched_network_begins_as_the_small_one_and_ends_as_the_large_one() -> None:
    found = {member.name: member for member in stitch_space(SMALL, LARGE).members.values()}
    arch = found["stitch-2b1-2b1"].arch
    assert (arch.stem_width, arch.stages[0]) == (SMALL.stem_width, SMALL.stages[0])
    assert arch.stages[1] == Stage(16, 2, (MBConv(5, 2),))
    assert arch.stages[2] == Stage(48, 1, (MBConv(3, 2),), "stitch")
    assert found["stitch-1b1-1b2"].arch.stages[1:] == (Stage(24, 1, (), "stitch"), LARGE.stages[1])


def test_every_piece_is_stored_once_as_one_of_the_two_networks_or_as_the_seam() -> None:
    known = {
        f"{whose}.{name}": piece for whose, arch in (("small", SMALL), ("large", LARGE)) for name, piece in pieces(arch)
    }
    for member in stitch_space(SMALL, LARGE).members.values():
        own = [piece for _, piece in pieces(member.arch)]
        assert len(own) == len(member.stored)
        for stored, piece in zip(member.stored, own, strict=True):
            assert known.get(stored, piece) == piece
        assert sum(stored not in known for stored in member.stored) == (member.seam is not None)


def test_a_stitched_network_is_an_architecture_that_is_written_read_and_counted() -> None:
    for member in stitch_space(SMALL, LARGE).members.values():
        assert Architecture.from_json(member.arch.to_json()) == member.arch
        assert count(member.arch).macs > 0


def test_blocks_after_other_strides_are_not_joined() -> None:
    halved = replace(SMALL, stages=(replace(SMALL.stages[0], stride=2), SMALL.stages[1]))
    names = {member.name for member in stitch_space(halved, LARGE).members.values()}
    assert names == {"small", "stitch-1b1-2b1", "large"}


def test_networks_without_a_common_resolution_or_for_other_data_are_refused() -> None:
    with pytest.raises(ValueError, match="nothing to stitch"):
        stitch_space(replace(SMALL, stem_stride=8), LARGE)
    with pytest.raises(ValueError, match="same `classes`, got 10 and 3"):
        stitch_space(SMALL, replace(LARGE, classes=3))
