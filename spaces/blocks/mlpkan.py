"""Experts of two kinds: MLPs and Kolmogorov-Arnold networks. Source: He et al. 2024, arXiv:2410.03027 (MLP-KAN)."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor, nn

from kernels.rational import IDENTITY, SILU
from spaces.blocks.block import BLOCKS, check_kernel, check_positive
from spaces.blocks.moe import Expert, MoE
from spaces.layers import ACTIVATIONS, RATIONAL_GROUP, Rational, depthwise, pointwise, start_at_zero


@BLOCKS.register("mlpkan")
@dataclass(frozen=True)
class MLPKAN:
    """x + sum_e gate_e(y) expert_e(y), with y = norm(depthwise(x)), over MLPs and group-rational networks in turn.

    pairs: so many experts of each kind, a prefix of those of the largest; the gates are a softmax over all. ratio:
    hidden channels of each expert a channel; width and hidden channels are multiples of 8 (a rational function's
    group). gate: `image` weighs the experts once an image, `token` at every position. Differs: all experts are
    evaluated and weighed as in `moe`, where the source dispatches slots to each; functions are rational instead of
    radial bases; a depthwise convolution in front mixes positions.
    """

    pairs: int = 1
    ratio: float = 1
    kernel: int = 3
    gate: str = "token"
    act: str = "silu"
    kind: ClassVar[str] = "mlpkan"
    separate: ClassVar[tuple[str, ...]] = ()
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {"act": tuple(ACTIVATIONS), "gate": ("image", "token")}

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_positive(pairs=self.pairs, ratio=self.ratio)

    def build(self, width: int) -> nn.Module:
        hidden = RATIONAL_GROUP * self.units(width)["groups"]
        return MLPKANLayers(width, self.pairs, hidden, self.kernel, self.gate, self.act)

    def units(self, width: int) -> dict[str, int]:
        return {"pairs": self.pairs, "groups": max(1, round(width * self.ratio / RATIONAL_GROUP))}

    def resized(self, width: int, dimension: str, units: int) -> "MLPKAN":
        return (
            replace(self, pairs=units) if dimension == "pairs" else replace(self, ratio=units * RATIONAL_GROUP / width)
        )

    def twin(self, scale: float) -> MoE:
        return MoE(2 * self.pairs, self.ratio * scale, self.kernel, self.gate, self.act)


class Pair(nn.Module):
    """An expert of each kind, weighed by two gates."""

    def __init__(self, width: int, hidden: int, act: str) -> None:
        super().__init__()
        self.mlp = Expert(width, hidden, act)
        self.kan = nn.Sequential(
            OrderedDict(
                inner=Rational(width, IDENTITY),
                up=pointwise(width, hidden, bias=True),
                outer=Rational(hidden, SILU),
                down=start_at_zero(pointwise(hidden, width, bias=True)),
            )
        )

    def forward(self, x: Tensor, gates: Tensor) -> Tensor:
        """(N, C, H, W), gates (N, 2, 1 or H, 1 or W) -> (N, C, H, W)."""
        return gates[:, :1] * self.mlp(x) + gates[:, 1:] * self.kan(x)


class MLPKANLayers(nn.Module):
    """The layers of one MLPKAN block."""

    def __init__(self, width: int, pairs: int, hidden: int, kernel: int, gate: str, act: str) -> None:
        super().__init__()
        self.gate = gate
        self.mix = nn.Sequential(OrderedDict(depthwise=depthwise(width, kernel), norm=nn.BatchNorm2d(width)))
        self.router = pointwise(width, 2 * pairs, bias=True)
        self.pairs = nn.ModuleList(Pair(width, hidden, act) for _ in range(pairs))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        y = self.mix(x)
        seen = y.mean((2, 3), keepdim=True) if self.gate == "image" else y
        gates = self.router(seen).softmax(1)
        for index, pair in enumerate(self.pairs):
            x = x + pair(y, gates[:, 2 * index : 2 * index + 2])
        return x
