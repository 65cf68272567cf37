"""The lanes of a micronet block are the shuffle and the grouped convolution of its source."""

from typing import Any

import pytest
import torch
from torch import nn

from spaces.blocks import MicroNet
from tests.contracts.small_spaces import scramble

GROUPS = 4


def block(rank: int) -> Any:
    torch.manual_seed(0)
    layers = MicroNet(rank=rank, act="gelu").build(8 * GROUPS).eval()
    scramble(layers, 0)
    return layers


@pytest.mark.parametrize("rank", [1, 2, 4, 8])
def test_it_computes_what_shuffle_grouped_convolution_and_shuffle_back_do(rank: int) -> None:
    layers, x = block(rank), torch.randn(2, 8 * GROUPS, 5, 6)
    y = layers.spatial(x)
    squeezed = torch.stack([lane[:3](y) for lane in layers.lanes], 2).flatten(
        1, 2
    )  # as one grouped convolution lays it
    grouped = nn.Conv2d(rank * GROUPS, 8 * GROUPS, 1, groups=rank, bias=False)
    grouped.weight = nn.Parameter(torch.cat([lane.mix.weight for lane in layers.lanes]))
    norm = nn.BatchNorm2d(8 * GROUPS).eval()
    for name, tensor in norm.state_dict().items():
        if tensor.ndim:
            tensor.copy_(torch.cat([lane.mix_norm.state_dict()[name] for lane in layers.lanes]))
    mixed = nn.ChannelShuffle(rank)(norm(grouped(nn.ChannelShuffle(GROUPS)(squeezed))))
    torch.testing.assert_close(layers(x), x + mixed)


@pytest.mark.parametrize("rank", [1, 2, 4, 8])
def test_every_output_sees_every_input_though_no_layer_is_dense(rank: int) -> None:
    layers, x = block(rank), torch.randn(1, 8 * GROUPS, 1, 1)
    seen = torch.autograd.functional.jacobian(lambda x: layers(x).flatten(), x).reshape(8 * GROUPS, -1)  # type: ignore[union-attr]
    assert (seen != 0).all()
    assert all(layer.weight[0].numel() < 8 * GROUPS for layer in layers.modules() if isinstance(layer, nn.Conv2d))


@pytest.mark.parametrize("rank", [3, 16, 0])
def test_a_rank_that_does_not_divide_a_group_is_refused(rank: int) -> None:
    with pytest.raises(ValueError, match=f"`rank` must divide 8, got {rank}. Write 1, 2, 4 or 8"):
        MicroNet(rank=rank)
