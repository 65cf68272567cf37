"""A large depthwise kernel as parallel thin ones. Source: Yu et al. 2023, arXiv:2303.16900 (InceptionNeXt)."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from spaces.blocks.block import BLOCKS, check_kernel, check_positive
from spaces.layers import ACTIVATIONS, feed_forward

GROUP = 8  # of 8 channels one is mixed by the square, one by the row, one by the column, and 5 stay, as in the source


@BLOCKS.register("inceptionnext")
@dataclass(frozen=True)
class InceptionNeXt:
    """x + mlp(norm(mixed)): one channel in 8 goes through 3 x 3, one through 1 x kernel, one through kernel x 1.

    kernel: odd, taps of the row and of the column. ratio: hidden channels a channel. The width must be a multiple of 8.
    Differs: the split repeats in every 8 channels, so that fewer channels are a prefix; BatchNorm; no layer scale.
    """

    kernel: int = 11
    ratio: float = 4
    act: str = "gelu"
    kind: ClassVar[str] = "inceptionnext"
    separate: ClassVar[tuple[str, ...]] = ()
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {"act": tuple(ACTIVATIONS)}

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_positive(ratio=self.ratio)

    def build(self, width: int) -> nn.Module:
        if width % GROUP:
            raise ValueError(f"the width of an inceptionnext block must be a multiple of {GROUP}, got {width}.")
        return InceptionNeXtLayers(width, self.kernel, self.units(width)["hidden"], self.act)

    def units(self, width: int) -> dict[str, int]:
        return {"hidden": round(width * self.ratio)}

    def resized(self, width: int, dimension: str, units: int) -> "InceptionNeXt":
        return replace(self, ratio=units / width)


class InceptionNeXtLayers(nn.Module):
    """The layers of one InceptionNeXt block."""

    def __init__(self, width: int, kernel: int, hidden: int, act: str) -> None:
        super().__init__()
        n = width // GROUP
        self.square = nn.Conv2d(n, n, 3, padding=1, groups=n)
        self.row = nn.Conv2d(n, n, (1, kernel), padding=(0, kernel // 2), groups=n)
        self.column = nn.Conv2d(n, n, (kernel, 1), padding=(kernel // 2, 0), groups=n)
        self.mlp = feed_forward(width, hidden, act)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        groups = x.unflatten(1, (-1, GROUP))  # (N, C / 8, 8, H, W)
        mixed = [layer(groups[:, :, i]) for i, layer in enumerate((self.square, self.row, self.column))]
        stay = groups[:, :, len(mixed) :]
        return x + self.mlp(torch.cat([*(part.unsqueeze(2) for part in mixed), stay], 2).flatten(1, 2))
