"""Small trained-looking networks of plain torch layers, and the files made from them."""

import torch
from torch import Tensor, nn
from torch.nn.functional import hardsigmoid, scaled_dot_product_attention

NORMALISATION = ((5.0,), (3.0,))
INPUT_SHAPE = (1, 8, 8)


class Residual(nn.Module):
    def __init__(self, branch: nn.Module) -> None:
        super().__init__()
        self.branch = branch

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


class Gate(nn.Module):
    """Squeeze-excitation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.squeeze, self.excite = nn.Conv2d(width, 4, 1), nn.Conv2d(4, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * hardsigmoid(self.excite(self.squeeze(x.mean((2, 3), keepdim=True)).relu()))


class Attend(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.norm = heads, nn.LayerNorm(width)
        self.q, self.k, self.v, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        y = self.norm(x.flatten(2).transpose(1, 2))
        q, k, v = (f(y).reshape(n, h * w, self.heads, -1).transpose(1, 2) for f in (self.q, self.k, self.v))
        y = self.out(scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return x + y.transpose(1, 2).reshape(n, c, h, w)


def conv(inputs: int, outputs: int, kernel: int = 3, groups: int = 1) -> nn.Sequential:
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.ReLU6())


def plain(width: int = 16, depth: int = 1) -> nn.Module:
    torch.manual_seed(0)
    return _network(width, *(conv(width, width) for _ in range(depth)))


def depthwise(width: int = 16) -> nn.Module:
    torch.manual_seed(1)
    return _network(width, Residual(nn.Sequential(conv(width, width, 5, width), Gate(width), conv(width, width, 1))))


def attention(width: int = 16) -> nn.Module:
    torch.manual_seed(2)
    return _network(width, Attend(width, 2))


NETWORKS = {"plain": plain, "depthwise": depthwise, "attention": attention}


def _network(width: int, *blocks: nn.Module) -> nn.Module:
    """Stem, blocks, head, with BatchNorm statistics of images, in eval mode."""
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))
    network = nn.Sequential(conv(1, width), *blocks, *head)
    with torch.no_grad():
        network.train()(normalised(images(256)))
    return network.eval()


def images(n: int, seed: int = 0) -> Tensor:
    """(n, 1, 8, 8) raw pixels from 0 to 16."""
    return torch.rand((n, *INPUT_SHAPE), generator=torch.Generator().manual_seed(seed)) * 16


def normalised(x: Tensor) -> Tensor:
    return (x - NORMALISATION[0][0]) / NORMALISATION[1][0]


def torch_logits(network: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        return network(normalised(x))
