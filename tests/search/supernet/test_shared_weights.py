"""The store and who uses it."""

import random

import pytest
import torch

from search.supernet.shared_weights import build_supernet
from spaces.blocks.block import key
from spaces.space import choices, largest, sample
from tests.contracts.small_spaces import space_of

SPACE = space_of(("mbconv", "attention"))
X = torch.zeros(2, 1, 8, 8)


def test_the_same_seed_gives_the_same_weights_and_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    one, same, other = (build_supernet(SPACE, seed).tensors() for seed in (0, 0, 1))
    drawn = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(3))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_it_stores_every_kind_at_every_position_once() -> None:
    names = [name for name, _ in build_supernet(SPACE, 0).store.named_children()]
    kinds = ["attention_head_dim16", "attention_head_dim18", "mbconv"]
    expected = {f"stage{i}_block{j}_{kind}" for i in (0, 1) for j in (0, 1) for kind in kinds}
    assert set(names) == expected | {"stem", "head", "stage0_enter_conv", "stage1_enter_conv"}
    assert len(names) == len(set(names))


def test_every_member_runs_and_an_extracted_one_is_in_eval_mode_with_gradients() -> None:
    supernet, rng = build_supernet(SPACE, 0), random.Random(0)
    for _ in range(20):
        arch = sample(SPACE, rng)
        assert supernet(X, arch).shape == (2, SPACE.classes)
        alone = supernet.extract(arch)
        assert not alone.training and all(p.requires_grad and p.is_leaf for p in alone.parameters())


def test_the_architecture_is_no_hidden_state() -> None:
    supernet, rng = build_supernet(SPACE, 0).eval(), random.Random(0)
    one, other = sample(SPACE, rng), sample(SPACE, rng)
    first = supernet(X, one)
    supernet(X, other)
    assert torch.equal(supernet(X, one), first)


def test_a_kind_that_is_not_stored_is_a_key_error_that_names_the_position() -> None:
    stranger = largest(space_of(("kan",)), random.Random(0))
    with pytest.raises(KeyError, match="stage0_block0_kan"):
        build_supernet(SPACE, 0)(X, stranger)


def test_teachers_are_different_largest_networks() -> None:
    supernet = build_supernet(SPACE, 0)
    found = supernet.teachers(3, seed=0)
    assert found == supernet.teachers(3, seed=0)
    assert len({arch.id for arch in found}) == 3
    for arch in found:
        assert choices(SPACE, arch)
        assert [(stage.width, len(stage.blocks)) for stage in arch.stages] == [(24, 2), (32, 2)]
        assert all(
            "head_dim18" in key(block) for stage in arch.stages for block in stage.blocks if block.kind != "mbconv"
        )


def test_a_space_with_one_largest_network_has_one_teacher() -> None:
    assert len(build_supernet(space_of(("kan",)), 0).teachers(3, seed=0)) == 1
