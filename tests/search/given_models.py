"""Models as a user may have them: right ones, and each kind of wrong one. Loaded by tests as a file of its own."""

import warnings
from typing import Any

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    """A convolutional network on digits with a shortcut, and pooling whose size is written down."""

    def __init__(self, width: int = 16, classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU())
        self.conv1, self.bn1 = nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, padding=1, groups=width), nn.BatchNorm2d(width)
        self.pool, self.head = nn.AvgPool2d(4), nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return self.head(self.pool((x + y).relu()).flatten(1))


def residual() -> nn.Module:
    torch.manual_seed(0)
    return Residual()


def narrow() -> nn.Module:
    torch.manual_seed(0)
    return Residual(4)


class Ensemble(nn.Module):
    """Several networks that answer as one: the mean of their logits."""

    def __init__(self, *members: nn.Module) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([member(x) for member in self.members]).mean(0)


def ensemble() -> nn.Module:
    torch.manual_seed(0)
    return Ensemble(Residual(8), Residual(8))


class Viewing(nn.Module):
    """Flattens by `view`, as many a tutorial does: that needs torch's usual order of memory."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.head = nn.Conv2d(1, 8, 3, 2, 1), nn.Linear(8 * 16, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(x).relu().view(len(x), -1))


class Auxiliary(Residual):
    """Puts out more while it is trained, as networks with a second head for training do."""

    def forward(self, x: Tensor) -> Any:
        logits = super().forward(x)
        return (logits, logits) if self.training else logits


class Tapped(Residual):
    """Reads what its convolution puts out before the BatchNorm that the file makes part of it."""

    def forward(self, x: Tensor) -> Tensor:
        tapped = self.stem[0](x)
        return super().forward(x) + tapped.mean((2, 3))[:, :10]


def tapped() -> nn.Module:
    torch.manual_seed(0)
    network = Tapped()
    network.stem[1].running_var.fill_(4.0)  # type: ignore[union-attr]
    return network


def softmaxed() -> nn.Module:
    return nn.Sequential(Residual(), nn.Softmax(1))


instance = residual()


def twelve_classes() -> nn.Module:
    return Residual(classes=12)


def colour() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))


def linear() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def raises() -> nn.Module:
    raise FileNotFoundError("weights.pt is missing")


def number() -> int:
    return 3


def leaves() -> nn.Module:
    raise SystemExit(0)


def script() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls it deprecated; users have such files
        return torch.jit.script(linear())


def not_finite() -> nn.Module:
    network = Residual()
    nn.init.constant_(network.head.weight, torch.nan)
    return network


class DataDependent(nn.Module):
    """Runs, but its graph depends on the values of the pixels: it cannot be exported."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer(x.flatten(1))
        return y if float(y.detach().sum()) > 0 else -y


class Experts(nn.Module):
    """Stacked experts: a raw parameter of three dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3)
        self.experts = nn.Parameter(torch.randn(4, 8, 10))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("nc,eck->nk", self.stem(x).mean((2, 3)), self.experts)
