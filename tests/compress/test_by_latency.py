"""Pruning to a latency: the choice of widths, and that what is proposed is as fast as was asked."""

import itertools
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from compress.context import Context
from compress.devices.simulated import Simulated
from compress.foreign import counts_of, foreign_of, rebuilt
from compress.prune import by_latency
from compress.prune.channels import Prune
from compress.prune.coupled import foreign_plan, measured_layers
from compress.prune.knapsack import LEAST_SHARE, Costs, alike, choose, options
from compress.prune.own import own_plan
from compress.prune.staircase import Staircase, beside_first
from compress.prune.widths import Losses, least_loss
from compress.recipe import StepError
from compress.train import Training, fit, hard_labels
from compress.variant import Variant
from spaces.architecture import Architecture
from spaces.blocks import Attention, MBConv
from spaces.placements import placements_of
from tests.compress.test_foreign import residual
from tests.compress.test_prune import arch_of, network_of, run
from tests.toy_task import CLASSES, toy_data

CHAIN = ((0,), (0, 1), (1, 2), (2,))  # groups of each part: layers between the groups before and after
UNITS = 16


class Joined(nn.Module):
    """Two convolutions whose outputs are concatenated, and a linear layer that sees every pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(1, 6, 3, padding=1)
        self.both, self.head = nn.Conv2d(14, 4, 3, 2, 1), nn.Linear(64, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.both(torch.cat([self.one(x), self.two(x)], 1).relu()).flatten(1))


class Grouped(nn.Module):
    """A grouped convolution, which is left whole with what it is coupled to."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.grouped = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 8, 3, groups=2)
        self.last, self.head = nn.Conv2d(8, 12, 1), nn.Linear(12, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.last(self.grouped(self.stem(x))).mean((2, 3)))


class Heads(nn.Module):
    """Attention made of linear layers, in two heads, on a series of 8 features, and layers before and behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(8, 12), nn.Linear(12, 8)
        self.q, self.k, self.v, self.out = (nn.Linear(8, 8) for _ in range(4))
        self.head = nn.Linear(8 * 8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1, 2)
        x = x + self.two(self.one(x).relu())
        q, k, v = (layer(x).view(-1, 8, 2, 4).transpose(1, 2) for layer in (self.q, self.k, self.v))
        seen = (q @ k.transpose(2, 3)).softmax(3) @ v
        return self.head(self.out(seen.transpose(1, 2).reshape(-1, 8, 8)).flatten(1))


def of_table(_: Any = None) -> nn.Module:
    """Of linear layers alone, one with a LayerNorm behind it."""
    torch.manual_seed(0)
    one, two = (nn.Linear(64, 24), nn.BatchNorm1d(24)), (nn.Linear(24, 16), nn.LayerNorm(16))
    return nn.Sequential(nn.Flatten(), *one, nn.ReLU(), *two, nn.GELU(), nn.Linear(16, CLASSES)).eval()


def of_series(_: Any = None) -> nn.Module:
    """Of one-dimensional convolutions, one of them depthwise, on a series of 32 numbers."""
    torch.manual_seed(0)
    one, two = (nn.Conv1d(1, 16, 5, padding=2), nn.BatchNorm1d(16)), nn.Conv1d(16, 16, 3, groups=16)
    last = nn.Conv1d(8, 8, 1), nn.Flatten(), nn.Linear(8 * 7, CLASSES)
    return nn.Sequential(*one, nn.ReLU(), two, nn.Conv1d(16, 8, 3, 2), nn.AvgPool1d(2), *last).eval()


def joined() -> nn.Module:
    torch.manual_seed(0)
    return Joined().eval()


def chain(seed: int) -> tuple[list[dict[int, float]], Costs]:
    """Losses and costs of three groups of 16 units on a device that computes 2, 4 or 8 at once."""
    draw = random.Random(seed)
    parts_ms, stairs = tuple(draw.uniform(0.5, 2) for _ in CHAIN), {}
    for part, group in ((part, group) for part, groups in enumerate(CHAIN) for group in groups):
        lanes, widths = draw.choice((2, 4, 8)), tuple(range(1, UNITS + 1))
        share = [0.1 + 0.9 * -(-width // lanes) * lanes / UNITS for width in widths]
        stairs[part, group] = Staircase(widths, tuple(parts_ms[part] * each for each in share))
    costs = Costs(parts_ms, stairs)
    powers = [draw.uniform(0.3, 2) for _ in range(3)]
    losses = [
        {width: (UNITS / width) ** power - 1 for width in options(costs, group, UNITS)}
        for group, power in enumerate(powers)
    ]
    return losses, costs


@pytest.mark.parametrize("seed", range(12))
def test_the_choice_fits_and_loses_hardly_more_than_the_best_of_all_choices(seed: int) -> None:
    losses, costs = chain(seed)
    budget_ms = 0.5 * sum(costs.parts_ms)

    def lost(widths: tuple[int, ...]) -> float:
        return sum(of_group[width] for of_group, width in zip(losses, widths, strict=True))

    chosen = choose(losses, costs, budget_ms)
    assert costs.total_ms(chosen) <= budget_ms
    best = min(lost(widths) for widths in itertools.product(*losses) if costs.total_ms(widths) <= budget_ms)
    assert lost(chosen) <= 1.2 * best


def test_only_edges_are_chosen_and_no_group_vanishes() -> None:
    losses, costs = chain(0)
    for group in range(3):
        offered = options(costs, group, UNITS)
        assert set(offered) <= set(costs.of_group(group).edges()) and min(offered) >= UNITS / LEAST_SHARE
    assert choose(losses, costs, 0.0) == tuple(min(of_group) for of_group in losses)
    assert choose(losses, costs, 2 * sum(costs.parts_ms)) == (UNITS,) * 3


def test_alike_takes_the_largest_equal_share_that_fits() -> None:
    costs = Costs((1.0, 1.0), {(part, part): Staircase((4, 8, 12, 16), (0.25, 0.5, 0.75, 1.0)) for part in (0, 1)})
    offered = [(4, 8, 12, 16)] * 2
    assert [alike(offered, costs, budget_ms) for budget_ms in (2, 1.6, 1.0, 0.9, 0.1)] == [
        (16, 16), (12, 12), (8, 8), (4, 4), (4, 4),
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_measured_losses_are_lower_than_those_of_equal_shares_and_each_is_asked_once(seed: int) -> None:
    """Losses that do not add up: a network is as good as its narrowest group makes it."""
    losses, costs = chain(seed)
    offered, budget_ms = [tuple(sorted(of_group)) for of_group in losses], 0.5 * sum(costs.parts_ms)
    asked: list[tuple[int, ...]] = []

    def loss(widths: tuple[int, ...]) -> float:
        asked.append(widths)
        each = [of_group[width] for of_group, width in zip(losses, widths, strict=True)]
        return max(each) + 0.1 * sum(each)

    found = least_loss(loss, offered, costs, budget_ms)
    assert costs.total_ms(found) <= budget_ms
    assert loss(found) <= loss(alike(offered, costs, budget_ms))
    assert len(asked) <= 5 * 3 + 5


def test_a_loss_is_measured_once_on_images_that_the_fit_did_not_see(tmp_path: Path) -> None:
    data, network = toy_data(), joined()
    plan = foreign_plan(foreign_of(network, "net", data.input_shape, CLASSES), network, data, "magnitude")
    steps: list[None] = []
    losses = Losses.of(plan, Context(data, None, tmp_path, before_step=lambda: steps.append(None)))
    whole = tuple(len(worth) for worth in plan.worths)
    narrow = tuple(max(1, units // 4) for units in whole)
    assert losses(narrow) != losses(whole) == losses(whole) and len(steps) == 2
    assert losses.made(whole)[0] == foreign_of(network, "net", data.input_shape, CLASSES)


@pytest.mark.parametrize(
    "make", [residual, lambda _: joined(), lambda _: Grouped().eval()], ids=["add", "join", "groups"]
)
def test_the_layers_foreseen_are_those_of_the_network_that_is_cut(make: Any) -> None:
    data, network = toy_data(), make(toy_data())
    x = data.normalise(data.train.x[:2])
    plan = foreign_plan(foreign_of(network, "net", data.input_shape, CLASSES), network, data, "hessian")
    assert plan.worths
    widths = [max(1, len(worth) // (2 + i)) for i, worth in enumerate(plan.worths)]
    arch, made, _ = plan.cut(widths)
    assert list(plan.parts({})) == list(measured_layers(network, x).values())
    assert list(plan.parts(dict(enumerate(widths)))) == list(measured_layers(made, x).values())
    assert counts_of(arch).params == sum(p.numel() for p in made.parameters())


@pytest.mark.parametrize(
    ("make", "size", "narrowed"),
    [(of_table, (8, 8), [16, 24]), (of_series, (32,), [8, 8, 16]), (lambda: Heads().eval(), (8, 8), [12])],
    ids=["table", "series", "heads"],
)
def test_hidden_linear_layers_and_convolutions_of_series_are_narrowed_and_heads_are_not(
    make: Any, size: tuple[int, ...], narrowed: list[int]
) -> None:
    data, network = toy_data(size=size), make()
    x = data.normalise(data.train.x[:2])
    plan = foreign_plan(foreign_of(network, "net", data.input_shape, CLASSES), network, data, "hessian")
    assert [len(worth) for worth in plan.worths] == narrowed
    widths = [units // 2 for units in narrowed]
    arch, made, _ = plan.cut(widths)
    torch.testing.assert_close(rebuilt(network, made.state_dict())(x), made(x))
    assert list(plan.parts({})) == list(measured_layers(network, x).values())
    assert list(plan.parts(dict(enumerate(widths)))) == list(measured_layers(made, x).values())
    assert counts_of(arch).params == sum(p.numel() for p in made.parameters())


def test_hidden_channels_of_flattened_tokens_that_shapes_misplace_stay() -> None:
    """Flattened, a token's channels lie together, and not a channel's tokens as in a map."""
    network = nn.Sequential(nn.Flatten(1, 2), nn.Linear(8, 6), nn.ReLU(), nn.Flatten(), nn.Linear(48, CLASSES)).eval()
    data = toy_data()
    assert not foreign_plan(foreign_of(network, "net", data.input_shape, CLASSES), network, data, "magnitude").worths


def test_the_pieces_foreseen_are_those_of_the_network_that_is_cut() -> None:
    arch = arch_of(MBConv(expand=2), Attention(heads=4, head_dim=8), width=24)
    plan = own_plan(arch, network_of(arch), toy_data(), "hessian", width=True)
    widths = [max(1, len(worth) // 2) for worth in plan.worths]
    smaller, _, _ = plan.cut(widths)
    assert isinstance(smaller, Architecture) and len(plan.worths) == 4
    assert list(plan.parts(dict(enumerate(widths)))) == list(placements_of(smaller))


@pytest.mark.parametrize("kind", ["magnitude", "taylor", "bn", "hessian"])
def test_channels_that_do_nothing_are_those_that_go(kind: str) -> None:
    data, network = toy_data(), joined()
    dead = {"one": torch.arange(0, 8, 2), "two": torch.tensor([1, 2, 5])}
    with torch.no_grad():
        for name, channels in dead.items():
            getattr(network, name).weight[channels] = 0
            getattr(network, name).bias[channels] = 0
            network.both.weight[:, channels + (8 if name == "two" else 0)] = 0  # type: ignore[union-attr,index,operator]
    plan = foreign_plan(foreign_of(network, "net", data.input_shape, CLASSES), network, data, kind)
    sizes = {8: 4, 6: 3, 4: 4}
    _, made, left = plan.cut([sizes[len(worth)] for worth in plan.worths])
    torch.testing.assert_close(run(made), run(network))
    assert left["one"].tolist() == [1, 3, 5, 7] and left["two"].tolist() == [0, 3, 4]
    assert made.both.weight.shape == (4, 7, 3, 3)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("share", "make", "size"),
    [(0.8, residual, (8, 8)), (0.5, residual, (8, 8)), (0.5, of_table, (8, 8)), (0.5, of_series, (32,))],
)
def test_what_is_proposed_takes_the_share_that_was_asked_for(
    share: float, make: Any, size: tuple[int, ...], tmp_path: Path
) -> None:
    """On a device that counts multiply-adds, so that every repetition says the same."""
    data, network = toy_data(size=size), make(toy_data(size=size))
    fit(network, data, Training(epochs=6, batch=32), hard_labels(), seed=0)
    measure = beside_first(Simulated(macs_per_us=10), "slow", tmp_path)
    before = Variant(foreign_of(network, "net", data.input_shape, CLASSES), network)
    after = Prune(latency=share, epochs=1, batch=32)(before, Context(data, None, tmp_path, measure=measure))
    was_ms, is_ms = by_latency.measured(network, [after.network], data, measure)
    assert share * 0.8 <= is_ms / was_ms <= share * 1.02
    assert not after.network.training and after.counts.params < before.counts.params


def test_a_device_on_which_no_width_is_faster_refuses_the_step(tmp_path: Path) -> None:
    data, arch = toy_data(), arch_of(MBConv(expand=2))
    variant = Variant(arch, network_of(arch))
    measure = beside_first(Simulated(macs_per_us=1e9, node_us=100), "flat", tmp_path)
    with pytest.raises(StepError, match="no choice of widths is faster on the device: the best takes 1.00"):
        Prune(latency=0.5)(variant, Context(data, None, tmp_path, measure=measure))
    with pytest.raises(StepError, match="`latency` measures on a device, and there is none here"):
        Prune(latency=0.5)(variant, Context(data, None, tmp_path))
