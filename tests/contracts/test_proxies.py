"""What every score without training owes: a finite number for every kind of block, the same for the same seed."""

import random

import pytest
import torch
from torch import nn

from compress.train import Batch, batches
from search.supernet.proxies import PROXIES, score_all, woken
from search.supernet.proxies.diswot import diswot
from search.supernet.proxies.naswot import naswot
from spaces.blocks import BLOCKS
from spaces.network import build
from spaces.space import largest, sample, smallest
from tests.contracts.small_spaces import space_of
from tests.toy_task import toy_data

SPACE = space_of(("mbconv", "kan"))


def batch_of() -> Batch:
    return next(iter(batches(toy_data(), 32, 0, 0)))


def fresh(kind: str = "mbconv", seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build(sample(space_of((kind,)), random.Random(seed)))


def a_teacher() -> nn.Sequential:
    return fresh("mbconv", 1)


@pytest.mark.parametrize("kind", BLOCKS.names())
def test_every_score_of_every_kind_of_block_is_finite(kind: str) -> None:
    found = score_all(fresh(kind), batch_of(), 0, a_teacher())
    assert sorted(found) == PROXIES.names()
    assert all(value == value for value in found.values()), found


def test_scores_depend_on_what_they_are_given_alone_and_leave_both_networks_as_they_were() -> None:
    both = nn.ModuleList([fresh(), a_teacher()])
    network, teacher = both
    assert isinstance(network, nn.Sequential) and isinstance(teacher, nn.Sequential)
    before = {name: tensor.clone() for name, tensor in both.state_dict().items()}
    torch.manual_seed(1)
    first = score_all(network, batch_of(), 0, teacher)
    torch.manual_seed(2)
    assert score_all(network, batch_of(), 0, teacher) == first
    assert all(torch.equal(tensor, before[name]) for name, tensor in both.state_dict().items())
    assert all(parameter.grad is None for parameter in both.parameters())


def test_most_scores_say_that_the_largest_network_is_better_than_the_smallest() -> None:
    ends = [build(end(SPACE, random.Random(0))) for end in (smallest, largest)]
    small, large = (score_all(network, batch_of(), 0, a_teacher()) for network in ends)
    assert sum(large[name] > small[name] for name in small) >= 4


def test_waking_leaves_no_weight_all_zero() -> None:
    def asleep(network: nn.Module) -> int:
        return sum(not p.any() for name, p in network.named_parameters() if name.endswith("weight"))

    network = fresh()
    assert asleep(network) > 0 and asleep(woken(network, 0)) == 0


def test_naswot_is_lower_for_a_network_that_treats_all_images_alike() -> None:
    apart, alike = nn.Linear(64, 256), nn.Linear(64, 256)
    with torch.no_grad():
        alike.bias.fill_(100.0)
    x = torch.randn(16, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    batch = Batch(x, torch.zeros(16, dtype=torch.long), torch.arange(16))
    networks = (nn.Sequential(nn.Flatten(), layer, nn.GELU()) for layer in (apart, alike))
    scores = [naswot(network, batch, 0, network) for network in networks]
    assert scores[0] > scores[1]


def test_diswot_is_highest_for_the_teacher_itself_and_low_for_one_that_sees_all_images_alike() -> None:
    teacher, blind = woken(a_teacher(), 0), woken(a_teacher(), 0)
    with torch.no_grad():
        next(blind.parameters()).zero_()  # of the stem
    same, other, low = (diswot(each, batch_of(), 0, teacher) for each in (teacher, woken(fresh(), 0), blind))
    assert same == 0 > other > low
