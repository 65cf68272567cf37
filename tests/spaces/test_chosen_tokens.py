"""Blocks that compute for a choice of tokens or regions: what is chosen, and what becomes of the rest."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from spaces.blocks import BiFormer, EViT
from spaces.blocks.biformer import attend_to_best, join, parts, split
from tests.contracts.small_spaces import scramble


@pytest.mark.parametrize(
    ("side", "most", "expected"), [(16, 4, 4), (12, 8, 6), (9, 4, 3), (7, 4, 1), (7, 7, 7), (1, 4, 1)]
)
def test_a_side_is_cut_into_equal_parts(side: int, most: int, expected: int) -> None:
    assert parts(side, most) == expected


def test_regions_are_rectangles_and_are_put_together_again() -> None:
    x = torch.randn(2, 3, 4, 6)
    regions = split(x, 2, 3)
    assert torch.equal(regions[:, 4], x[:, :, 2:, 2:4].flatten(2).transpose(1, 2))  # the second row, its middle
    assert torch.equal(join(regions, 2, 3, x.shape), x)


def test_each_region_attends_to_those_with_the_keys_most_like_its_queries() -> None:
    q, k, v = (torch.randn(2, 6, 4, 8) for _ in range(3))
    found = attend_to_best(q, k, v, head_dim=4, top=2)
    for image in range(2):
        for region in range(6):
            alike = k[image].mean(1) @ q[image, region].mean(0)
            keys, values = (torch.cat([x[image, best] for best in alike.topk(2).indices]) for x in (k, v))
            torch.testing.assert_close(found[image, region], attention(q[image, region], keys, values, head_dim=4))


def attention(q: Tensor, k: Tensor, v: Tensor, head_dim: int) -> Tensor:
    q, k, v = (x.unflatten(1, (-1, head_dim)).transpose(0, 1) for x in (q, k, v))
    return scaled_dot_product_attention(q, k, v).transpose(0, 1).flatten(1)


def test_as_many_regions_as_there_are_is_attention_of_all_to_all() -> None:
    q, k, v = (torch.randn(2, 6, 4, 8) for _ in range(3))
    found = attend_to_best(q, k, v, head_dim=4, top=6)
    for image in range(2):
        queries, keys, values = (x[image].flatten(0, 1) for x in (q, k, v))
        torch.testing.assert_close(found[image].flatten(0, 1), attention(queries, keys, values, head_dim=4))


@pytest.mark.parametrize("make", [BiFormer(), EViT(keep=0.3)], ids=["biformer", "evit"])
def test_an_image_is_answered_alike_alone_and_among_others(make: Any) -> None:
    block = scrambled(make.build(16))
    x = torch.randn(3, 16, 8, 8)
    for i in range(3):
        torch.testing.assert_close(block(x)[i : i + 1], block(x[i : i + 1]))


@pytest.mark.parametrize(("keep", "changed"), [(0.25, 16), (0.5, 32), (0.001, 1), (1, 64), (3, 64)])
def test_so_many_tokens_change_and_the_others_pass(keep: float, changed: int) -> None:
    block = scrambled(EViT(keep=keep).build(16))
    block.place.weight.data.zero_()
    x = torch.randn(2, 16, 8, 8)
    assert ((block(x) != x).any(1).flatten(1).sum(1) == changed).all()


def test_of_equal_tokens_the_first_are_kept_so_that_every_engine_keeps_the_same() -> None:
    block = scrambled(EViT(keep=0.25).build(16))
    block.place.weight.data.zero_()
    x = torch.randn(1, 16, 1, 1).expand(1, 16, 8, 8)
    assert ((block(x) != x).any(1).flatten() == (torch.arange(64) < 16)).all()


def test_a_token_that_is_kept_hears_of_those_that_are_not() -> None:
    block = scrambled(EViT(keep=0.1).build(16))
    block.place.weight.data.zero_()
    x = torch.randn(1, 16, 8, 8, requires_grad=True)
    out = block(x)
    is_kept = (out != x).any(1)
    out.transpose(0, 1)[:, is_kept].sum().backward()
    assert x.grad is not None and (x.grad.transpose(0, 1)[:, ~is_kept] != 0).any(0).all()


def scrambled(block: Any) -> Any:
    scramble(block, 0)
    return block.eval()
