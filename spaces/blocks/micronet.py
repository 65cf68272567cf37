"""Micro-factorized convolutions. Source: Li et al. 2021, arXiv:2108.05894 (MicroNet)."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from spaces.blocks.block import BLOCKS, check_kernel
from spaces.layers import ACTIVATIONS, SqueezeExcite, pointwise, start_at_zero

GROUP = 8  # channels of a group: fixed, so that fewer channels are a prefix of groups


@BLOCKS.register("micronet")
@dataclass(frozen=True)
class MicroNet:
    """x + shuffled(grouped(y)) with y = row(column(x)): no layer is dense, yet every output sees every input.

    kernel: odd, taps of the column and of the row that make up the depthwise convolution. rank: 1, 2, 4 or 8 numbers
    that a group of 8 channels is squeezed to (shares no weights: it says which outputs see which of them). se:
    squeeze-excitation of y. The width must be a multiple of 8.

    The shuffle: lane j takes the j-th number of every group and gives the j-th output of every `rank`, which is what
    channel shuffle, grouped convolution and channel shuffle back compute. By lanes, fewer groups are a prefix of every
    tensor; one grouped convolution would lay lane behind lane. Differs: groups of 8 instead of about the root of the
    width; no Dynamic Shift-Max, whose shift ties a group to its neighbour while pruning puts groups in another order,
    so an activation and `se`; the width is not expanded, depth is what adds capacity.
    """

    kernel: int = 3
    rank: int = 2
    se: bool = False
    act: str = "relu6"
    kind: ClassVar[str] = "micronet"
    separate: ClassVar[tuple[str, ...]] = ("rank",)
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {"act": tuple(ACTIVATIONS)}

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        if self.rank not in (1, 2, 4, 8):
            raise ValueError(f"`rank` must divide {GROUP}, got {self.rank}. Write 1, 2, 4 or 8.")

    def build(self, width: int) -> nn.Module:
        if width % GROUP:
            raise ValueError(f"the width of a micronet block must be a multiple of {GROUP}, got {width}.")
        return MicroNetLayers(width, self)

    def units(self, width: int) -> dict[str, int]:
        return {}

    def resized(self, width: int, dimension: str, units: int) -> "MicroNet":
        raise ValueError(f"a micronet block has no dimension {dimension!r} of its own.")


class MicroNetLayers(nn.Module):
    """The layers of one MicroNet block."""

    def __init__(self, width: int, config: MicroNet) -> None:
        super().__init__()
        taps = config.kernel
        spatial: OrderedDict[str, nn.Module] = OrderedDict()
        spatial["column"] = nn.Conv2d(width, width, (taps, 1), padding=(taps // 2, 0), groups=width, bias=False)
        spatial["column_norm"] = nn.BatchNorm2d(width)
        spatial["row"] = nn.Conv2d(width, width, (1, taps), padding=(0, taps // 2), groups=width, bias=False)
        spatial["row_norm"] = nn.BatchNorm2d(width)
        spatial["act"] = ACTIVATIONS[config.act]()
        if config.se:
            spatial["se"] = SqueezeExcite(width)
        self.spatial = nn.Sequential(spatial)
        self.lanes = nn.ModuleList(lane(width, width // config.rank, config.act) for _ in range(config.rank))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        y = self.spatial(x)
        return x + torch.stack([lane(y) for lane in self.lanes], 2).flatten(1, 2)


def lane(width: int, outputs: int, act: str) -> nn.Sequential:
    """One number of every group, then a mixture of these numbers for each output. It starts at zero."""
    groups = width // GROUP
    return nn.Sequential(
        OrderedDict(
            squeeze=nn.Conv2d(width, groups, 1, groups=groups, bias=False),
            squeeze_norm=nn.BatchNorm2d(groups),
            act=ACTIVATIONS[act](),
            mix=pointwise(groups, outputs),
            mix_norm=start_at_zero(nn.BatchNorm2d(outputs)),
        )
    )
