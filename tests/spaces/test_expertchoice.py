"""Experts choose positions: equally many, and of equal ones the first."""

import copy

import torch
from torch import Tensor, nn

from spaces.blocks.expertchoice import ExpertChoice, ExpertChoiceLayers


def positions_of(layers: ExpertChoiceLayers, x: Tensor) -> list[Tensor]:
    """For each expert (N, H W): whether it took the position, seen by what it changes when the others put out 0."""
    found = []
    for index in range(len(layers.experts)):
        alone = copy.deepcopy(layers)
        for other, expert in enumerate(alone.experts):
            for parameter in expert.parameters():
                nn.init.constant_(parameter, 1.0 if other == index else 0.0)
        found.append((alone.eval()(x) - x).abs().sum(1).flatten(1) > 0)
    return found


def test_every_expert_takes_equally_many_positions_and_more_experts_fewer_each() -> None:
    x = torch.randn(3, 16, 5, 6)
    for experts, capacity, taken in ((2, 1, 15), (4, 1, 8), (4, 2, 15), (2, 3, 30)):
        layers = ExpertChoice(experts, capacity).build(16)
        assert isinstance(layers, ExpertChoiceLayers)
        for positions in positions_of(layers, x):
            assert positions.sum(1).tolist() == [taken] * 3


def test_of_equal_positions_the_first_are_taken() -> None:
    layers = ExpertChoice(2).build(16)
    assert isinstance(layers, ExpertChoiceLayers)
    for positions in positions_of(layers, torch.zeros(1, 16, 4, 4)):
        assert positions[0].tolist() == [True] * 8 + [False] * 8
