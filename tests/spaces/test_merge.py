"""Layers that train as more than they ship as compute the same once merged."""

import pytest
import torch
from torch import nn

from spaces.blocks.ewa import AveragedMLP
from spaces.blocks.unireplknet import ParallelKernels
from spaces.merge import merge
from tests.contracts.small_spaces import scramble

LAYERS = [AveragedMLP(8, 3, 16, "gelu"), ParallelKernels(8, 7), ParallelKernels(8, 13)]


@pytest.mark.parametrize("layer", LAYERS, ids=["experts", "7 taps", "13 taps"])
def test_a_merged_layer_computes_the_same_in_evaluation_mode(layer: nn.Module) -> None:
    scramble(layer, seed=0)
    x = torch.randn(2, 8, 9, 6, generator=torch.Generator().manual_seed(0))
    expected = layer.eval()(x)
    merged = merge(nn.Sequential(layer))
    assert sum(p.numel() for p in merged.parameters()) < sum(p.numel() for p in layer.parameters())
    assert not [m for m in merged.modules() if hasattr(m, "merged")]
    torch.testing.assert_close(merged(x), expected)


def test_every_expert_learns_from_its_part_of_the_positions_and_no_position_is_lost() -> None:
    layer = AveragedMLP(8, 3, 16, "gelu").train()
    scramble(layer, seed=0)
    for down in layer.downs:
        down.load_state_dict(layer.downs[0].state_dict())
    x = torch.randn(2, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    out = layer(x)
    torch.testing.assert_close(
        out, layer.eval()(x)
    )  # experts that are equal: it does not matter which one a position saw
    out.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in layer.parameters())
