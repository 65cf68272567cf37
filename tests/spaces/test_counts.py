"""Parameters, multiply-adds and peak memory against numbers worked out by hand."""

import torch
from torch import Tensor, nn

from spaces.architecture import Architecture, Stage
from spaces.blocks import KAN, Attention, MBConv, MoE
from spaces.counts import Counts, count, count_module, count_piece
from spaces.network import Head, Placed, Stem, build

MAP = 8 * 8  # positions


def macs_of(block: MBConv | Attention | KAN | MoE, width: int) -> int:
    return count_piece(Placed(block, width), (width, 8, 8))[0].macs


def test_a_stem_by_hand() -> None:
    counts, shape = count_piece(Stem(3, 16, 2), (3, 8, 8))
    assert shape == (16, 4, 4)
    assert counts.params == 16 * 3 * 9 + 2 * 16
    assert counts.macs == 16 * 3 * 9 * 4 * 4


def test_a_head_by_hand() -> None:
    counts, shape = count_piece(Head(32, 10), (32, 8, 8))
    assert shape == (10,)
    assert counts.params == counts.macs + 10 == 32 * 10 + 10


def test_an_inverted_residual_by_hand() -> None:
    plain = 16 * 64 * MAP + 64 * 9 * MAP + 64 * 16 * MAP
    assert macs_of(MBConv(3, 4), 16) == plain
    assert macs_of(MBConv(3, 4, se=True), 16) == plain + 2 * 64 * 16


def test_attention_counts_its_two_products_of_tokens() -> None:
    projections = 4 * 16 * 32 * MAP
    products = 2 * 2 * MAP * MAP * 16  # 2 heads of 16 channels: queries with keys, weights with values
    mlp, place = 2 * 16 * 32 * MAP, 16 * 9 * MAP
    assert macs_of(Attention(2, 16, 2), 16) == projections + products + mlp + place


def test_a_mixture_counts_all_its_experts_because_all_run() -> None:
    expert = 2 * 16 * 32 * MAP
    two, three = macs_of(MoE(2, 2), 16), macs_of(MoE(3, 2), 16)
    assert three - two == expert + 16  # and one output of the router
    assert macs_of(MoE(2, 2, gate="token"), 16) - two == 16 * 2 * (MAP - 1)


def test_rational_activations_are_counted() -> None:
    layers = 16 * 9 * MAP + 2 * 16 * 32 * MAP
    assert macs_of(KAN(3, 2), 16) == layers + 9 * (16 + 32) * MAP


def test_a_network_is_the_sum_of_its_pieces_and_the_largest_of_their_peaks() -> None:
    arch = Architecture((1, 8, 8), 10, 8, 1, (Stage(16, 1, (MBConv(), KAN())), Stage(24, 2, (Attention(),))))
    counts = count(arch)
    assert counts.params == sum(p.numel() for p in build(arch).parameters())
    shape, parts = arch.input_shape, []
    for piece in (Stem(1, 8, 1), Placed(MBConv(), 8)):
        part, shape = count_piece(piece, shape)
        parts.append(part)
    assert counts.peak_bytes >= max(part.peak_bytes for part in parts)
    with_one_more = count(arch.with_stage(0, Stage(16, 1, (MBConv(), KAN(), MBConv()))))
    more = count_piece(Placed(MBConv(), 16), (16, 8, 8))[0]
    assert with_one_more.params - counts.params == more.params
    assert with_one_more.macs - counts.macs == more.macs


class Chain(nn.Module):
    """Ten maps one after the other: two are alive at once."""

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(10):
            x = x + 1
        return x


class Skip(nn.Module):
    """The view of a map keeps the map alive: the input, the map, its double and the result."""

    def forward(self, x: Tensor) -> Tensor:
        tokens = (x + 1).flatten(2).transpose(1, 2)
        return tokens + tokens * 2


def test_the_peak_counts_what_is_alive_and_not_what_was() -> None:
    x = torch.empty(1, 4, 8, 8, device="meta")
    size = x.numel() * 4
    assert count_module(Chain(), x)[0].peak_bytes == 3 * size  # the caller's input stays
    assert count_module(Skip(), x)[0].peak_bytes == 4 * size


def test_counting_does_not_depend_on_what_was_counted_before() -> None:
    arch = Architecture((1, 8, 8), 10, 8, 1, (Stage(16, 1, (MBConv(se=True), MoE())),))
    first = count(arch)
    count_piece.cache_clear()
    assert count(arch) == first and isinstance(first, Counts)
