"""BatchNorm statistics measured anew."""

import torch
from torch import nn

from compress.recalibrate import IMAGES, recalibrate


def normed() -> tuple[nn.Sequential, nn.BatchNorm2d]:
    norm = nn.BatchNorm2d(3, momentum=0.25)
    return nn.Sequential(nn.Conv2d(2, 3, 1), norm, nn.ReLU()), norm


def test_the_statistics_are_those_of_the_images() -> None:
    network, norm = normed()
    norm.running_mean, norm.running_var = torch.full((3,), 5.0), torch.full((3,), 7.0)
    x = torch.randn(40, 2, 4, 4)
    recalibrate(network, x)
    with torch.no_grad():
        y = network[0](x)
    torch.testing.assert_close(norm.running_mean, y.mean((0, 2, 3)))
    torch.testing.assert_close(norm.running_var, y.var((0, 2, 3)))


class Shared(nn.Module):
    """One norm over two maps of different sizes, the second of which does not depend on the first."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(2, momentum=0.25)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(x) + self.norm(x[:, :, :2] * 3 + 5).mean((2, 3), keepdim=True)


def test_a_norm_that_is_called_twice_has_the_statistics_of_both_calls_together() -> None:
    network, x = Shared(), torch.randn(40, 2, 4, 4)
    recalibrate(network, x)
    seen = torch.cat([x.transpose(0, 1).flatten(1), (x[:, :, :2] * 3 + 5).transpose(0, 1).flatten(1)], 1)
    torch.testing.assert_close(network.norm.running_mean, seen.mean(1))
    torch.testing.assert_close(network.norm.running_var, seen.var(1))
    assert network.norm.momentum == 0.25 and not network.norm._forward_hooks


def test_a_norm_that_is_called_once_has_the_statistics_that_torch_finds_to_the_bit() -> None:
    network, norm = normed()
    x, alone = torch.randn(40, 2, 4, 4), nn.BatchNorm2d(3, momentum=1.0)
    recalibrate(network, x)
    with torch.no_grad():
        alone(network[0](x))
    for found, expected in ((norm.running_mean, alone.running_mean), (norm.running_var, alone.running_var)):
        assert found is not None and expected is not None and torch.equal(found, expected)


def test_only_the_first_512_images_are_used() -> None:
    x = torch.randn(IMAGES + 100, 2, 2, 2)
    torch.manual_seed(0)
    network, norm = normed()
    recalibrate(network, x)
    first = norm.running_mean.clone() if norm.running_mean is not None else None
    recalibrate(network, torch.cat([x[:IMAGES], x[IMAGES:] + 100]))
    assert first is not None and norm.running_mean is not None and torch.equal(norm.running_mean, first)


def test_nothing_else_changes() -> None:
    for training in (False, True):
        network, norm = normed()
        network.train(training)
        before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
        recalibrate(network, torch.randn(8, 2, 4, 4))
        assert network.training == norm.training == training and norm.momentum == 0.25
        assert all(torch.equal(before[name], parameter) for name, parameter in network.named_parameters())
        assert all(parameter.grad is None for parameter in network.parameters())


def test_statistics_behind_a_dropout_are_those_of_the_network_in_use() -> None:
    norm = nn.BatchNorm2d(2)
    x = torch.randn(64, 2, 4, 4)
    recalibrate(nn.Sequential(nn.Dropout(0.5), norm), x)
    torch.testing.assert_close(norm.running_var, x.var((0, 2, 3)))


def test_a_network_without_batch_norm_is_not_even_run() -> None:
    class Unrunnable(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise AssertionError

    recalibrate(Unrunnable(), torch.zeros(1))
