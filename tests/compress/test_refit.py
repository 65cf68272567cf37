"""Least squares after a cut: what is left does what was done before, as well as it can."""

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from compress.prune.refit import Answer, Target, _error, answers, refit, target
from spaces.blocks.polynomial import Polynomials


def pair(redundant: bool) -> nn.Sequential:
    """Two convolutions and a linear layer; if redundant, channels 4 to 7 repeat channels 0 to 3."""
    torch.manual_seed(0)
    first, second = nn.Conv2d(2, 8, 3, padding=1), nn.Conv2d(8, 6, 3, 2, 1)
    if redundant:
        with torch.no_grad():
            first.weight[4:], first.bias[4:] = first.weight[:4], first.bias[:4]  # type: ignore[index]
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.Flatten(), nn.Linear(6 * 16, 3)).eval()


def images(seed: int = 0) -> Tensor:
    return torch.randn(256, 2, 8, 8, generator=torch.Generator().manual_seed(seed))


def halved(network: nn.Sequential, left: Tensor) -> nn.Sequential:
    made: Any = copy.deepcopy(network)
    made[0].weight, made[0].bias = (nn.Parameter(tensor[left].clone()) for tensor in (made[0].weight, made[0].bias))
    made[2].weight = nn.Parameter(made[2].weight[:, left].clone())
    made[0].out_channels = made[2].in_channels = len(left)
    return made


def error(made: nn.Module, whole: nn.Module) -> float:
    x = images(1)
    with torch.no_grad():
        return float((made(x) - whole(x)).square().mean() / whole(x).var())


def test_what_repeated_others_is_not_missed() -> None:
    whole, left = pair(redundant=True), torch.tensor([0, 2, 5, 7])
    made = halved(whole, left)
    assert error(made, whole) > 0.1
    assert refit(made, target(whole, images()), {"0": left})
    assert error(made, whole) < 0.01


@pytest.mark.parametrize("kernel", [1, 3])
def test_lower_polynomials_take_over_what_they_can_of_those_that_were_cut(kernel: int) -> None:
    torch.manual_seed(0)
    whole = nn.Sequential(Polynomials(2, 6, kernel, 3, "chebyshev"), nn.Flatten(), nn.Linear(6 * 64, 3)).eval()
    made: Any = copy.deepcopy(whole)
    made[0].terms = made[0].terms[:2]
    seen, asked = images() / 3, images(1) / 3  # where the third Chebyshev polynomial is much like the first
    to = Target(answers(whole, seen), seen, asked, whole(asked).detach())
    assert set(to.layers) == {"0", "2"}, "terms are no layers of their own"
    before = _error(made, to)
    assert refit(made, replace(to, layers={"0": to.layers["0"]}), {})
    assert _error(made, to) < 0.1 * before


def test_a_network_of_which_nothing_was_cut_stays_as_it_was() -> None:
    whole = pair(redundant=False)
    made = copy.deepcopy(whole)
    refit(made, target(whole, images()), {})
    assert error(made, whole) < 1e-6


def test_a_fit_is_nearer_to_the_whole_on_images_that_it_did_not_see() -> None:
    whole, left = pair(redundant=False), torch.tensor([1, 2, 4, 6])
    made = halved(whole, left)
    before = error(made, whole)
    assert refit(made, target(whole, images()), {"0": left})
    assert error(made, whole) < 0.8 * before


def test_layers_that_run_twice_or_do_not_compare_are_left_alone() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(4, 4), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.two(self.one(self.one(x)))

    torch.manual_seed(0)
    whole, x = Twice().eval(), torch.randn(16, 5, 4)
    known = answers(whole, x)
    assert set(known) == {"two"} and known["two"].values.shape == (16, 5, 2)
    made = copy.deepcopy(whole)
    refit(made, Target(known, x[:8], x, whole(x)), {})
    for before, after in zip(whole.parameters(), made.parameters(), strict=True):
        torch.testing.assert_close(after, before, rtol=0, atol=0)


def test_batchnorm_is_recalibrated_and_keeps_its_momentum() -> None:
    torch.manual_seed(0)
    whole = nn.Sequential(nn.Conv2d(2, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 3)).eval()
    made = copy.deepcopy(whole)
    to = target(whole, images())
    refit(made, to, {})
    norm: Any = made[1]
    with torch.no_grad():
        seen = made[0](to.x)
    torch.testing.assert_close(norm.running_mean, seen.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)
    assert norm.momentum == 0.1 and not norm.training


def test_a_fit_that_does_harm_is_undone() -> None:
    whole, left = pair(redundant=True), torch.tensor([0, 2, 5, 7])
    made = halved(whole, left)
    before, state = error(made, whole), copy.deepcopy(made.state_dict())
    to = target(whole, images())
    spoiled = {name: Answer(torch.randn_like(answer.values) * 9, answer.at) for name, answer in to.layers.items()}
    assert not refit(made, Target(spoiled, to.x, to.asked, to.wanted), {"0": left})
    assert error(made, whole) == before
    assert all(torch.equal(made.state_dict()[name], tensor) for name, tensor in state.items())
