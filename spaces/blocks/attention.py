"""Self-attention and an MLP over the positions of the map. Source: Dosovitskiy et al. 2021, arXiv:2010.11929."""

from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from spaces.blocks.block import BLOCKS, check_positive
from spaces.layers import ACTIVATIONS, depthwise, start_at_zero


@BLOCKS.register("attention")
@dataclass(frozen=True)
class Attention:
    """x + place(x), then tokens + attend(norm(tokens)), then tokens + mlp(norm(tokens)).

    heads: prefix of the heads of the largest. head_dim: channels a head (shares no weights: the scale depends on it).
    ratio: hidden channels of the MLP a channel. Differs from ViT: positions come from a 3 x 3 depthwise convolution
    (Chu et al. 2021, arXiv:2102.10882), so that any resolution works.
    """

    heads: int = 2
    head_dim: int = 16
    ratio: float = 2
    act: str = "gelu"
    kind: ClassVar[str] = "attention"
    separate: ClassVar[tuple[str, ...]] = ("head_dim",)
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {"act": tuple(ACTIVATIONS)}

    def __post_init__(self) -> None:
        check_positive(heads=self.heads, head_dim=self.head_dim, ratio=self.ratio)

    def build(self, width: int) -> nn.Module:
        return AttentionLayers(width, self.heads, self.head_dim, self.units(width)["hidden"], self.act)

    def units(self, width: int) -> dict[str, int]:
        return {"heads": self.heads, "hidden": round(width * self.ratio)}

    def resized(self, width: int, dimension: str, units: int) -> "Attention":
        return replace(self, heads=units) if dimension == "heads" else replace(self, ratio=units / width)


class AttentionLayers(nn.Module):
    """The layers of one Attention block; q, k and v are separate, so that a prefix of heads is a prefix of each."""

    def __init__(self, width: int, heads: int, head_dim: int, hidden: int, act: str) -> None:
        super().__init__()
        self.head_dim = head_dim
        self.place = start_at_zero(depthwise(width, 3))
        self.norm = nn.LayerNorm(width)
        self.q = nn.Linear(width, heads * head_dim)
        self.k = nn.Linear(width, heads * head_dim)
        self.v = nn.Linear(width, heads * head_dim)
        self.project = start_at_zero(nn.Linear(heads * head_dim, width))
        self.mlp_norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, hidden)
        self.act = ACTIVATIONS[act]()
        self.down = start_at_zero(nn.Linear(hidden, width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        n, c, h, w = x.shape
        tokens = (x + self.place(x)).flatten(2).transpose(1, 2)  # (N, H W, C)
        y = self.norm(tokens)
        q, k, v = (self._heads(layer(y)) for layer in (self.q, self.k, self.v))  # (N, heads, H W, head_dim)
        attended = scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        tokens = tokens + self.project(attended)
        tokens = tokens + self.down(self.act(self.up(self.mlp_norm(tokens))))
        return tokens.transpose(1, 2).reshape(n, c, h, w)

    def _heads(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], x.shape[1], -1, self.head_dim).transpose(1, 2)
