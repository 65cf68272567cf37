"""ResNet-8 for CIFAR-10 as MLPerf Tiny specifies it, in plain PyTorch: nothing here knows of Lathe.

Source: Banbury et al. 2021, arXiv:2106.07597, image classification. 78 k parameters, 12.5 M MACs. As there: one
residual block a stage, shortcuts of the second and third stage are 1 x 1 convolutions without BatchNorm, then average
pooling over 8 x 8.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

WEIGHTS = Path(__file__).parents[1] / "runs" / "resnet8.pt"


class Block(nn.Module):
    """relu(bn(conv(relu(bn(conv(x))))) + shortcut(x)); (N, C, H, W) -> (N, width, H / stride, W / stride)."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, padding=1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = nn.Identity() if stride == 1 else nn.Conv2d(channels, width, 1, stride)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet8(nn.Module):
    """(N, 3, 32, 32) normalised pixels -> (N, 10) logits."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU())
        self.stages = nn.Sequential(Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2))
        self.pool = nn.AvgPool2d(8)
        self.head = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.pool(self.stages(self.stem(x))).flatten(1))


def trained() -> ResNet8:
    """The network with the weights that train.py wrote."""
    if not WEIGHTS.exists():
        raise FileNotFoundError(f"{WEIGHTS} is missing. Make it:  python studies/resnet8/train.py")
    network = ResNet8()
    network.load_state_dict(torch.load(WEIGHTS, weights_only=True))
    return network.eval()
