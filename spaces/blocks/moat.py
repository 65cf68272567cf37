"""Inverted residual, then attention without an MLP of its own. Source: Yang et al. 2022, arXiv:2210.01820 (MOAT)."""

from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor, nn

from spaces.blocks.block import BLOCKS, check_kernel, check_positive
from spaces.blocks.mbconv import MBConv
from spaces.layers import ACTIVATIONS, attend, pointwise, start_at_zero


@BLOCKS.register("moat")
@dataclass(frozen=True)
class MOAT:
    """x + mbconv(x), then x + attend(norm(x)): the inverted residual is the MLP, and tells attention where it is.

    heads: prefix of the heads of the largest. head_dim: channels a head (shares no weights). kernel, expand: of the
    inverted residual. Differs: BatchNorm in front of attention too.
    """

    heads: int = 2
    head_dim: int = 16
    kernel: int = 3
    expand: float = 2
    act: str = "gelu"
    kind: ClassVar[str] = "moat"
    separate: ClassVar[tuple[str, ...]] = ("head_dim",)
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {"act": tuple(ACTIVATIONS)}

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_positive(heads=self.heads, head_dim=self.head_dim, expand=self.expand)

    def build(self, width: int) -> nn.Module:
        mbconv = MBConv(kernel=self.kernel, expand=self.expand, act=self.act).build(width)
        return MOATLayers(mbconv, width, self.heads, self.head_dim)

    def units(self, width: int) -> dict[str, int]:
        return {"heads": self.heads, "hidden": round(width * self.expand)}

    def resized(self, width: int, dimension: str, units: int) -> "MOAT":
        return replace(self, heads=units) if dimension == "heads" else replace(self, expand=units / width)


class MOATLayers(nn.Module):
    """The layers of one MOAT block."""

    def __init__(self, mbconv: nn.Module, width: int, heads: int, head_dim: int) -> None:
        super().__init__()
        self.head_dim = head_dim
        self.mbconv = mbconv
        self.norm = nn.BatchNorm2d(width)
        self.q = pointwise(width, heads * head_dim, bias=True)
        self.k = pointwise(width, heads * head_dim, bias=True)
        self.v = pointwise(width, heads * head_dim, bias=True)
        self.project = start_at_zero(pointwise(heads * head_dim, width, bias=True))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        x = self.mbconv(x)
        y = self.norm(x)
        return x + self.project(attend(self.q(y), self.k(y), self.v(y), self.head_dim))
