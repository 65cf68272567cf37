"""The walk over a space's decisions: sampling, mutating, counting and finding one's way back."""

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch

from spaces.architecture import Architecture
from spaces.blocks import MBConv
from spaces.network import pieces
from spaces.space import (
    BlockChoice,
    SearchSpace,
    StageSpace,
    choices,
    covering,
    decide,
    largest,
    mutate,
    sample,
    size,
    smallest,
)
from spaces.windows import network_windows, shapes

MBCONV = BlockChoice("mbconv", (("kernel", (3, 5)), ("se", (False, True)), ("act", ("relu6", "silu"))))
WIDE = BlockChoice("mbconv", (("expand", (6, 8)),))
ATTENTION = BlockChoice("attention", (("heads", (2, 4)), ("head_dim", (8, 16))))
KAN = BlockChoice("kan", (("ratio", (1, 2)),))
MOE = BlockChoice("moe", (("experts", (2, 3)), ("gate", ("image", "token"))))
SPACE = SearchSpace(
    (1, 8, 8), 10, (8, 16), 1,
    (
        StageSpace((0, 1, 2), (16, 24), 1, (MBCONV, WIDE, KAN)),
        StageSpace((1, 3), (16, 32), 2, (ATTENTION, MOE, MBCONV)),
    ),
)  # fmt: skip


def every(space: SearchSpace) -> Iterator[Architecture]:
    """All architectures, by walking the decisions like an odometer."""
    answers: list[int] = []
    while True:
        asked: list[int] = []

        def pick(_name: str, options: tuple[Any, ...], asked: list[int] = asked) -> Any:
            if len(answers) == len(asked):
                answers.append(0)
            asked.append(len(options))
            return options[answers[len(asked) - 1]]

        yield decide(space, pick)
        while answers and answers[-1] + 1 == asked[len(answers) - 1]:
            answers.pop()
        if not answers:
            return
        answers[-1] += 1


def test_the_size_is_what_counting_all_of_them_gives() -> None:
    stage = StageSpace((1, 2), (8, 16), 1, (BlockChoice("mbconv", (("kernel", (3, 5)),)), BlockChoice("kan")))
    tiny = SearchSpace((1, 8, 8), 10, (8, 16, 24), 1, (stage, replace(stage, depth=(0, 1), width=(8,))))
    found = list(every(tiny))
    assert len(found) == len({arch.id for arch in found}) == size(tiny)
    assert size(tiny) == 3 * (2 * (3 + 9)) * (1 + 3)


def test_samples_stay_inside_and_differ() -> None:
    rng = random.Random(0)
    found = [sample(SPACE, rng) for _ in range(100)]
    assert all(choices(SPACE, arch) for arch in found)
    assert len({arch.id for arch in found}) > 90


def test_the_same_seed_draws_the_same_architectures() -> None:
    one, other = random.Random(3), random.Random(3)
    assert [sample(SPACE, one) for _ in range(5)] == [sample(SPACE, other) for _ in range(5)]


def test_every_depth_is_drawn_equally_often() -> None:
    rng = random.Random(0)
    depths = [len(sample(SPACE, rng).stages[0].blocks) for _ in range(600)]
    assert all(150 < depths.count(depth) < 250 for depth in (0, 1, 2))


def test_mutants_stay_inside_and_change_as_much_as_the_rate_says() -> None:
    rng = random.Random(0)
    parent = sample(SPACE, rng)
    assert mutate(SPACE, parent, rng, rate=0) == parent
    mutants = [mutate(SPACE, parent, rng, rate=0.1) for _ in range(50)]
    assert all(choices(SPACE, mutant) for mutant in mutants)
    assert 5 < sum(mutant != parent for mutant in mutants) < 50


def test_choices_lead_back_to_the_architecture() -> None:
    rng = random.Random(0)
    for _ in range(100):
        arch = sample(SPACE, rng)
        picks = choices(SPACE, arch)
        assert decide(SPACE, lambda name, _, picks=picks: picks[name]) == arch


def outside(arch: Architecture) -> dict[str, Architecture]:
    first = arch.stages[1]
    return {
        "stem.width = 12": replace(arch, stem_width=12),
        "stage1.width = 17": arch.with_stage(1, replace(first, width=17)),
        "stage1.depth = 2": arch.with_stage(1, replace(first, blocks=first.blocks[:2])),
        "stage1.block0": arch.with_stage(1, replace(first, blocks=(MBConv(kernel=7), *first.blocks[1:]))),
        "1 stages": replace(arch, stages=arch.stages[:1]),
        "3 stages": replace(arch, stages=(*arch.stages, first)),
        "is not in the space": replace(arch, classes=7),
    }


def test_an_architecture_outside_is_an_error_that_says_where() -> None:
    for message, arch in outside(largest(SPACE, random.Random(0))).items():
        with pytest.raises(ValueError, match=message):
            choices(SPACE, arch)


def test_the_largest_has_the_largest_of_every_number_and_the_smallest_the_smallest() -> None:
    for seed in range(10):
        big, small = largest(SPACE, random.Random(seed)), smallest(SPACE, random.Random(seed))
        assert [stage.width for stage in big.stages] == [24, 32] and big.depth == 5 and big.stem_width == 16
        assert [stage.width for stage in small.stages] == [16, 16] and small.depth == 1 and small.stem_width == 8


def test_the_covering_architectures_hold_every_window_of_every_member() -> None:
    store = {
        f"{name}.{leaf}": torch.empty(shape, device="meta")
        for arch in covering(SPACE)
        for name, piece in pieces(arch)
        for leaf, shape, _ in shapes(piece)
    }
    rng = random.Random(0)
    for _ in range(200):
        arch = sample(SPACE, rng)
        expected = {f"{name}.{leaf}": shape for name, piece in pieces(arch) for leaf, shape, _ in shapes(piece)}
        assert {name: view.shape for name, view in network_windows(store, arch).items()} == expected


def test_values_that_share_no_weights_have_positions_of_their_own() -> None:
    stored = {name for arch in covering(SPACE) for name, _ in pieces(arch)}
    assert {"stage1_block0_attention_head_dim8", "stage1_block0_attention_head_dim16"} <= stored
