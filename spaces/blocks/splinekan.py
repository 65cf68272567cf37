"""Kolmogorov-Arnold layers of cubic splines on an even grid. Source: Liu et al. 2024, arXiv:2404.19756 (KAN)."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce
from typing import ClassVar

import torch
from torch import Tensor, nn

from spaces.blocks.block import BLOCKS, check_kernel, check_positive
from spaces.blocks.convnext import ConvNeXt
from spaces.layers import Residual, depthwise, pointwise, start_at_zero

REACH = 3.0  # the grid spans [-3, 3]: what is in front of it is normalised
ROOT = 6 ** (-1 / 3)


@BLOCKS.register("splinekan")
@dataclass(frozen=True)
class SplineKAN:
    """x + outer(norm(inner(norm(depthwise(x))))), inner and outer spline layers at every position.

    grid: intervals of the grid (other grids share no weights); a layer has a linear one for each of its grid + 3 basis
    functions and one for SiLU. ratio: channels between the layers a channel. kernel: odd, taps of the depthwise
    convolution; 1 for what has no neighbours. It is meant for few channels: a layer costs grid + 4 times a plain one,
    and the basis as many numbers again as it has inputs. Differs: the grid is even and stays where it is, which gives
    the basis in closed form, and BatchNorm keeps the input on it; a depthwise convolution in front mixes positions.
    """

    grid: int = 3
    kernel: int = 3
    ratio: float = 1
    kind: ClassVar[str] = "splinekan"
    separate: ClassVar[tuple[str, ...]] = ("grid",)
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {}

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_positive(grid=self.grid, ratio=self.ratio)

    def build(self, width: int) -> nn.Module:
        hidden = self.units(width)["hidden"]
        outer = Splines(hidden, width, self.grid)
        for layer in outer.terms:
            start_at_zero(layer)
        branch: OrderedDict[str, nn.Module] = OrderedDict()
        branch["depthwise"] = depthwise(width, self.kernel)
        branch["norm"] = nn.BatchNorm2d(width)
        branch["inner"] = Splines(width, hidden, self.grid)
        branch["middle_norm"] = nn.BatchNorm2d(hidden)
        branch["outer"] = outer
        return Residual(nn.Sequential(branch))

    def units(self, width: int) -> dict[str, int]:
        return {"hidden": round(width * self.ratio)}

    def resized(self, width: int, dimension: str, units: int) -> "SplineKAN":
        return replace(self, ratio=units / width)

    def twin(self, scale: float) -> ConvNeXt:
        return ConvNeXt(self.kernel, self.ratio * scale, act="silu")


class Splines(nn.Module):
    """linear_0(silu(x)) + sum_i linear_i(B((x - c_i) / h)), 1 x 1 convolutions; the first has the bias."""

    def __init__(self, inputs: int, outputs: int, grid: int) -> None:
        super().__init__()
        self.grid = grid
        self.act = nn.SiLU()
        self.terms = nn.ModuleList(pointwise(inputs, outputs, bias=n == 0) for n in range(1 + grid + 3))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H, W)."""
        return reduce(torch.add, (term(seen) for term, seen in zip(self.terms, self.features(x), strict=True)))

    def features(self, x: Tensor) -> Iterator[Tensor]:
        """(N, inputs, H, W) -> what each of the terms is asked, of the same shape: SiLU, then the basis."""
        yield self.act(x)
        yield from self.basis(x.unsqueeze(1)).unbind(1)

    def basis(self, x: Tensor) -> Tensor:
        """(N, 1, inputs, H, W) -> (N, grid + 3, inputs, H, W): the cubic B-splines that are not zero all over the grid.

        B(t) = relu(2 - |t|)^3 / 6 - 4 relu(1 - |t|)^3 / 6 with t = (x - c_i) / h: what the recursion of Cox and de Boor
        gives on an even grid. Both cubes take the sixth with them, as its root.
        """
        places = torch.arange(self.grid + 3, device=x.device, dtype=x.dtype).reshape(1, -1, 1, 1, 1)
        distance = (x * (ROOT * self.grid / (2 * REACH)) - ROOT * (places - (1 + self.grid / 2))).abs()
        wide, narrow = (2 * ROOT - distance).relu(), (ROOT - distance).relu()
        return wide * wide * wide - 4 * (narrow * narrow * narrow)
