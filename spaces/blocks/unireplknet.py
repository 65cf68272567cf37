"""Large kernel, trained with small ones beside it. Source: Ding et al. 2024, arXiv:2311.15599 (UniRepLKNet)."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from spaces.blocks.block import BLOCKS, check_kernel, check_positive
from spaces.layers import ACTIVATIONS, Residual, SqueezeExcite, convolution_of, depthwise, pointwise, start_at_zero

BESIDE = (
    (3, 1),
    (3, 2),
    (5, 1),
    (3, 3),
)  # (kernel, dilation) of the small ones; those that span no more than the large


@BLOCKS.register("unireplknet")
@dataclass(frozen=True)
class UniRepLKNet:
    """x + down(act(up(se(mixed)))): mixed is the sum of depthwise convolutions of several sizes and dilations.

    kernel: odd, taps of the largest. Evaluated in a file, counted and measured is one convolution of that size: the
    others are merged into it. ratio: hidden channels a channel. se: squeeze-excitation. Differs: no response
    normalisation in the MLP, the same small kernels for every large one.
    """

    kernel: int = 13
    ratio: float = 4
    se: bool = False
    act: str = "gelu"
    kind: ClassVar[str] = "unireplknet"
    separate: ClassVar[tuple[str, ...]] = ()
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {"act": tuple(ACTIVATIONS)}

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_positive(ratio=self.ratio)

    def build(self, width: int) -> nn.Module:
        hidden = self.units(width)["hidden"]
        branch: OrderedDict[str, nn.Module] = OrderedDict(mix=ParallelKernels(width, self.kernel))
        if self.se:
            branch["se"] = SqueezeExcite(width)
        branch["up"] = pointwise(width, hidden, bias=True)
        branch["act"] = ACTIVATIONS[self.act]()
        branch["down"] = start_at_zero(pointwise(hidden, width, bias=True))
        return Residual(nn.Sequential(branch))

    def units(self, width: int) -> dict[str, int]:
        return {"hidden": round(width * self.ratio)}

    def resized(self, width: int, dimension: str, units: int) -> "UniRepLKNet":
        return replace(self, ratio=units / width)


class ParallelKernels(nn.Module):
    """The sum of depthwise convolutions, each with its BatchNorm; one convolution once merged."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        small = ((k, d) for k, d in BESIDE if k < kernel and span(k, d) <= kernel)
        self.branches = nn.ModuleDict({"large": normed(depthwise(channels, kernel))})
        for k, d in small:
            convolution = nn.Conv2d(
                channels, channels, k, padding=span(k, d) // 2, dilation=d, groups=channels, bias=False
            )
            self.branches[f"{k}x{k} by {d}"] = normed(convolution)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return torch.stack([branch(x) for branch in self.branches.values()]).sum(0)

    def merged(self) -> nn.Module:
        """The same in evaluation mode: one convolution with the sum of all kernels, each spread by its dilation."""
        kernels, biases = [], []
        branches: Any = self.branches.values()
        for convolution, norm in branches:
            scale = norm.weight / (norm.running_var + norm.eps).sqrt()
            kernels.append(spread(convolution.weight * scale[:, None, None, None], convolution.dilation[1]))
            biases.append(norm.bias - norm.running_mean * scale)
        padded = [pad(kernel, centred(kernel, kernels[0])) for kernel in kernels]
        return convolution_of(torch.stack(padded).sum(0), torch.stack(biases).sum(0), groups=len(biases[0]))


def normed(convolution: nn.Conv2d) -> nn.Sequential:
    """A depthwise convolution and its BatchNorm."""
    return nn.Sequential(OrderedDict(conv=convolution, norm=nn.BatchNorm2d(convolution.out_channels)))


def span(kernel: int, dilation: int) -> int:
    """Positions from the first tap to the last, both included."""
    return dilation * (kernel - 1) + 1


def spread(kernel: Tensor, dilation: int) -> Tensor:
    """(C, 1, k, k) -> (C, 1, span, span): zeros between the taps. One row stays one."""
    whole = kernel.new_zeros(*kernel.shape[:2], *(span(taps, dilation) for taps in kernel.shape[2:]))
    whole[:, :, ::dilation, ::dilation] = kernel
    return whole


def centred(kernel: Tensor, largest: Tensor) -> list[int]:
    """How much `pad` adds left, right, above and below, for a kernel in the middle of the largest."""
    above, left = ((full - part) // 2 for full, part in zip(largest.shape[2:], kernel.shape[2:], strict=True))
    return [left, left, above, above]
