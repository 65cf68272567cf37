"""Every piece that a network of a space can have, with what it is given."""

import json
import random
from dataclasses import replace

from spaces.architecture import Architecture, Stage
from spaces.blocks import MBConv
from spaces.network import build
from spaces.placements import Placement, placements, placements_of
from spaces.space import BlockChoice, SearchSpace, StageSpace, sample

MBCONV = BlockChoice("mbconv", (("expand", (2, 4)), ("se", (False, True))))
SPACE = SearchSpace(
    (3, 9, 9), 5, (8, 16), 2,
    (StageSpace((1, 2), (16,), 1, (MBCONV,)), StageSpace((1,), (16, 24), 2, (MBCONV, BlockChoice("kan")))),
)  # fmt: skip


def test_the_placements_of_a_space_are_those_of_its_networks_and_no_others() -> None:
    rng = random.Random(0)
    seen = {placed.key for _ in range(400) for placed in placements_of(sample(SPACE, rng))}
    listed = [placed.key for placed in placements(SPACE)]
    assert len(set(listed)) == len(listed)
    assert set(listed) == seen


def test_a_space_of_series_has_placements_too() -> None:
    space = replace(SPACE, input_shape=(3, 16))
    seen = {placed.key for n in range(200) for placed in placements_of(sample(space, random.Random(n)))}
    assert {placed.key for placed in placements(space)} == seen
    assert not seen & {placed.key for placed in placements(SPACE)}


def test_a_placement_has_the_shape_that_the_piece_is_given() -> None:
    arch = sample(SPACE, random.Random(1))
    import torch

    x = torch.zeros(1, *arch.input_shape)
    for module, placed in zip(build(arch).eval(), placements_of(arch), strict=True):
        assert tuple(x.shape[1:]) == placed.input_shape
        x = module(x)


def test_equal_work_has_one_key_however_its_numbers_are_written() -> None:
    def keys(expand: float) -> list[str]:
        arch = Architecture((3, 8, 8), 10, 8, 1, (Stage(8, 1, (MBConv(expand=expand), MBConv(expand=expand))),))
        return [placed.key for placed in placements_of(arch)]

    assert keys(2) == keys(2.0) != keys(3)
    assert keys(2)[2] == keys(2)[3]


def test_a_key_is_json_that_says_what_it_is() -> None:
    placed: Placement = next(p for p in placements(SPACE) if "kan" in p.key)
    assert json.loads(placed.key) == {
        "piece": "kan",
        "shape": list(placed.input_shape),
        "block": {"kind": "kan", "kernel": 3, "ratio": 2},
        "width": placed.input_shape[0],
        "dims": 2,
    }
