"""What every block owes for series too, in seconds; the whole contract runs over them with `-m slow`."""

import random

import pytest
import torch
from torch import nn

from spaces.architecture import Architecture
from spaces.counts import count
from spaces.merge import merge
from spaces.network import build
from spaces.space import SearchSpace, largest, sample
from tests.contracts.arithmetic import executed_macs
from tests.contracts.small_spaces import SERIES, space_of, supernet_of


@pytest.fixture(scope="module")
def space(kinds: tuple[str, ...]) -> SearchSpace:
    return space_of(kinds, SERIES)


@pytest.fixture(scope="module")
def arch(space: SearchSpace) -> Architecture:
    return largest(space, random.Random(0))


def examples() -> torch.Tensor:
    """A batch; a block that is random in training draws the same after it."""
    torch.manual_seed(0)
    return torch.randn(4, *SERIES)


def test_the_supernet_computes_what_the_extracted_network_does_bit_for_bit(
    space: SearchSpace, arch: Architecture
) -> None:
    supernet = supernet_of(space)
    for member in (arch, sample(space, random.Random(0))):
        for training in (False, True):
            expected = supernet.extract(member).train(training)(examples())
            assert torch.equal(supernet.train(training)(examples(), member), expected)
            assert expected.isfinite().all() and expected.std() > 0


def test_counts_are_those_of_the_real_network_and_no_kernel_has_rows(arch: Architecture) -> None:
    network = merge(build(arch).eval())
    counts = count(arch)
    assert counts.params == sum(p.numel() for p in network.parameters())
    assert counts.macs == executed_macs(network, torch.zeros(1, *SERIES))
    assert {layer.kernel_size[0] for layer in network.modules() if isinstance(layer, nn.Conv2d)} == {1}
