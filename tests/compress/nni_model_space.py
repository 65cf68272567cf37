"""A model space as users of NNI 3 write it; imported only where NNI is installed."""

import nni  # pyright: ignore[reportMissingImports]
import torch
from nni.nas.nn.pytorch import LayerChoice, ModelSpace, MutableConv2d  # pyright: ignore[reportMissingImports]
from torch import Tensor, nn


class Space(ModelSpace):
    """Two decisions: channels, and what the second layer is."""

    def __init__(self) -> None:
        super().__init__()
        channels = nni.choice("channels", [8, 16, 24])
        self.first = MutableConv2d(1, channels, 3, padding=1)
        options = [
            MutableConv2d(channels, 16, 3, padding=1, stride=2),
            nn.Sequential(MutableConv2d(channels, 16, 1, stride=2), nn.BatchNorm2d(16)),
        ]
        self.second = LayerChoice(options, label="second")
        self.head = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) -> (N, 10)."""
        x = torch.relu(self.second(torch.relu(self.first(x))))
        return self.head(x.mean((2, 3)))
