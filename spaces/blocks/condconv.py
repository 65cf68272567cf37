"""Kernels mixed for each image. Source: Yang et al. 2019, arXiv:1904.04971 (CondConv)."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor, nn

from spaces.blocks.block import BLOCKS, check_kernel, check_positive
from spaces.layers import ACTIVATIONS, depthwise, pointwise, start_at_zero


@BLOCKS.register("condconv")
@dataclass(frozen=True)
class CondConv:
    """An inverted residual whose depthwise kernel is a sum of experts, weighed by gates that see the mean of the image.

    experts: prefix of the kernels of the largest; each gate is a sigmoid of its own, so fewer need no new balance.
    kernel: odd, taps of the experts. expand: hidden channels a channel. Differs: every expert convolves and the gates
    weigh what comes out, which is the same by linearity; a convolution with weights that depend on the image has no
    static int8 form. MACs and latency count all experts.
    """

    experts: int = 2
    kernel: int = 3
    expand: float = 4
    act: str = "relu6"
    kind: ClassVar[str] = "condconv"
    separate: ClassVar[tuple[str, ...]] = ()
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {"act": tuple(ACTIVATIONS)}

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_positive(experts=self.experts, expand=self.expand)

    def build(self, width: int) -> nn.Module:
        return CondConvLayers(width, self.units(width)["hidden"], self.experts, self.kernel, self.act)

    def units(self, width: int) -> dict[str, int]:
        return {"experts": self.experts, "hidden": round(width * self.expand)}

    def resized(self, width: int, dimension: str, units: int) -> "CondConv":
        return replace(self, experts=units) if dimension == "experts" else replace(self, expand=units / width)


class CondConvLayers(nn.Module):
    """The layers of one CondConv block."""

    def __init__(self, width: int, hidden: int, experts: int, kernel: int, act: str) -> None:
        super().__init__()
        self.expand = nn.Sequential(
            OrderedDict(conv=pointwise(width, hidden), norm=nn.BatchNorm2d(hidden), act=ACTIVATIONS[act]())
        )
        self.router = pointwise(hidden, experts, bias=True)
        self.experts = nn.ModuleList(depthwise(hidden, kernel) for _ in range(experts))
        self.norm = nn.BatchNorm2d(hidden)
        self.act = ACTIVATIONS[act]()
        self.project = nn.Sequential(
            OrderedDict(conv=pointwise(hidden, width), norm=start_at_zero(nn.BatchNorm2d(width)))
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        y = self.expand(x)
        gates = self.router(y.mean((2, 3), keepdim=True)).sigmoid()  # (N, experts, 1, 1)
        mixed = sum(gates[:, i : i + 1] * expert(y) for i, expert in enumerate(self.experts))
        return x + self.project(self.act(self.norm(mixed)))
