"""Channels that select their activation. Source: Yang et al. 2024, arXiv:2408.08338 (S-KAN)."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from spaces.blocks.block import BLOCKS, check_kernel, check_positive
from spaces.blocks.convnext import ConvNeXt
from spaces.layers import Residual, depthwise, pointwise, start_at_zero


@BLOCKS.register("skan")
@dataclass(frozen=True)
class SKAN:
    """x + down(select(up(select(norm(depthwise(x)))))): a learned mix of four activations for every channel.

    kernel: odd, taps of the depthwise convolution. ratio: hidden channels a channel. Differs: functions are learned for
    channels and not for every pair of channels; the pool is identity, SiLU, tanh and exp(-x^2) in place of splines,
    polynomials and wavelets with coefficients of their own; nothing is pruned from it, since a file's graph belongs to
    the architecture and not to what was learned: all four are evaluated, and the shares are constants.
    """

    kernel: int = 3
    ratio: float = 2
    kind: ClassVar[str] = "skan"
    separate: ClassVar[tuple[str, ...]] = ()
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {}

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_positive(ratio=self.ratio)

    def build(self, width: int) -> nn.Module:
        hidden = self.units(width)["hidden"]
        branch: OrderedDict[str, nn.Module] = OrderedDict()
        branch["depthwise"] = depthwise(width, self.kernel)
        branch["norm"] = nn.BatchNorm2d(width)
        branch["inner"] = Selected(width)
        branch["up"] = pointwise(width, hidden, bias=True)
        branch["outer"] = Selected(hidden)
        branch["down"] = start_at_zero(pointwise(hidden, width, bias=True))
        return Residual(nn.Sequential(branch))

    def units(self, width: int) -> dict[str, int]:
        return {"hidden": round(width * self.ratio)}

    def resized(self, width: int, dimension: str, units: int) -> "SKAN":
        return replace(self, ratio=units / width)

    def twin(self, scale: float) -> ConvNeXt:
        return ConvNeXt(self.kernel, self.ratio * scale, act="silu")


class Selected(nn.Module):
    """sum_k share_k f_k(x) of (N, C, H, W), the shares a softmax for each channel; they start equal."""

    macs_per_element = 4

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.zeros(channels, self.macs_per_element))
        self.silu = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        identity, silu, tanh, bump = self.a.softmax(1).reshape(1, -1, 1, 1, self.macs_per_element).unbind(4)
        return identity * x + silu * self.silu(x) + tanh * x.tanh() + bump * (-x * x).exp()
