"""Small spaces and networks out of any registered kinds of block, with every field varied."""

from dataclasses import fields
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from search.supernet.shared_weights import Supernet, build_supernet
from spaces.architecture import Architecture, Stage
from spaces.blocks import BLOCKS
from spaces.space import BlockChoice, SearchSpace, StageSpace
from tests.toy_task import CLASSES

INPUT, SERIES = (1, 8, 8), (2, 12)  # images, series


def choice_of(kind: str) -> BlockChoice:
    """A kind with at least two values for every field: what its class allows, or its default and 2 more."""
    make: Any = BLOCKS.get(kind)
    return BlockChoice(kind, tuple((f.name, options_of(make, f.name, f.default)) for f in fields(make)))


def options_of(make: Any, name: str, default: Any) -> tuple[Any, ...]:
    if isinstance(default, bool):
        return False, True
    if isinstance(default, str):
        return make.allowed[name]
    return default, default + 2


def space_of(kinds: tuple[str, ...], shape: tuple[int, ...] = INPUT) -> SearchSpace:
    """Two stages of up to two blocks, widths 16 to 32."""
    choices = tuple(map(choice_of, kinds))
    stages = StageSpace((1, 2), (16, 24), 1, choices), StageSpace((1, 2), (16, 32), 2, choices)
    return SearchSpace(shape, CLASSES, (8, 16), 1, stages)


def two_of_each(kinds: tuple[str, ...], shape: tuple[int, ...] = INPUT) -> Architecture:
    """A network with the first option of every field of every kind in one stage, and the last one in the other."""
    first: list[Any] = []
    last: list[Any] = []
    for choice in map(choice_of, kinds):
        make: Any = BLOCKS.get(choice.kind)
        first.append(make(**{name: options[0] for name, options in choice.fields}))
        last.append(make(**{name: options[-1] for name, options in choice.fields}))
    return Architecture(shape, CLASSES, 8, 1, (Stage(16, 1, tuple(last)), Stage(24, 2, tuple(first))))


def supernet_of(space: SearchSpace, seed: int = 0) -> Supernet:
    """A supernet whose every number is random: where a branch starts at zero, a wrong window would not be seen."""
    supernet = build_supernet(space, seed)
    scramble(supernet.store, seed)
    return supernet


def scramble(network: nn.Module, seed: int) -> None:
    """Replace zeros and the constants of BatchNorm by random numbers, in place."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, _BatchNorm):
                assert layer.running_mean is not None and layer.running_var is not None
                layer.weight.uniform_(0.5, 1.5, generator=generator)
                layer.running_mean.normal_(0, 0.2, generator=generator)
                layer.running_var.uniform_(0.5, 1.5, generator=generator)
        for parameter in network.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(torch.where(parameter == 0, 0.2 * noise, parameter))
