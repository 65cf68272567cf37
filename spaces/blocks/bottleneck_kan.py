"""A polynomial convolution between two 1 x 1 ones. Source: Drokin 2024, arXiv:2407.01092 (bottleneck KAN)."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import nn

from spaces.blocks.block import BLOCKS, check_kernel, check_positive
from spaces.blocks.polynomial import BASES, Polynomials
from spaces.blocks.resnet import ResNet
from spaces.layers import Residual, pointwise, start_at_zero


@BLOCKS.register("bottleneck_kan")
@dataclass(frozen=True)
class BottleneckKAN:
    """x + expand(norm(polynomials(norm(reduce(x))))).

    degree: highest polynomial, each with a k x k convolution of its own; fewer are a prefix. basis: `chebyshev` or
    `gram` (share no weights). kernel: odd. ratio: channels in between a channel. Differs: BatchNorm around the
    polynomials, no SiLU path beside them: the residual is the path.
    """

    degree: int = 3
    basis: str = "gram"
    kernel: int = 3
    ratio: float = 0.5
    kind: ClassVar[str] = "bottleneck_kan"
    separate: ClassVar[tuple[str, ...]] = ("basis",)
    nested: ClassVar[tuple[str, ...]] = ("degree",)
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {"basis": BASES}

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_positive(degree=self.degree, ratio=self.ratio)

    def build(self, width: int) -> nn.Module:
        hidden = self.units(width)["hidden"]
        branch: OrderedDict[str, nn.Module] = OrderedDict()
        branch["reduce"] = pointwise(width, hidden)
        branch["norm"] = nn.BatchNorm2d(hidden)
        branch["polynomials"] = Polynomials(hidden, hidden, self.kernel, self.degree, self.basis)
        branch["outer_norm"] = nn.BatchNorm2d(hidden)
        branch["expand"] = start_at_zero(pointwise(hidden, width, bias=True))
        return Residual(nn.Sequential(branch))

    def units(self, width: int) -> dict[str, int]:
        return {"degree": self.degree, "hidden": round(width * self.ratio)}

    def resized(self, width: int, dimension: str, units: int) -> "BottleneckKAN":
        return replace(self, degree=units) if dimension == "degree" else replace(self, ratio=units / width)

    def twin(self, scale: float) -> ResNet:
        return ResNet("bottleneck", self.kernel, self.ratio * scale, act="silu")
