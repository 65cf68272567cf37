"""Attention and MLP for the tokens that matter. Source: Liang et al. 2022, arXiv:2202.07800 (EViT)."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from spaces.blocks.block import BLOCKS, check_positive
from spaces.blocks.expertchoice import STEP
from spaces.layers import ACTIVATIONS, depthwise, start_at_zero


@BLOCKS.register("evit")
@dataclass(frozen=True)
class EViT:
    """An `attention` block for the share `keep` of all tokens; the others are passed on as they came.

    keep: share of the tokens that attend and go through the MLP, at least one; 1 or more is all. heads, head_dim,
    ratio: as in `attention`. A learned query looks at all tokens: those that it looks at most are kept, and what it
    sees, the weighted mean of all, is one more token that the kept ones attend to, so they hear of the rest.
    Differs: that query stands for the class token, and its weights choose before attention, not behind it; the tokens
    are put back, as in Xu et al. 2023, arXiv:2310.05654 (IdleViT), since a block keeps its shape and the next one
    may choose others. It pays: with 64 channels .80 of the time of `attention` at 8 x 8 positions, .57 at 16 x 16
    (.19 of .34 ms) and .34 at 32 x 32, float in ONNX Runtime; with keep=0.25 .62, .35 and .16.
    """

    heads: int = 2
    head_dim: int = 16
    ratio: float = 2
    keep: float = 0.5
    act: str = "gelu"
    kind: ClassVar[str] = "evit"
    separate: ClassVar[tuple[str, ...]] = ("head_dim",)
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {"act": tuple(ACTIVATIONS)}

    def __post_init__(self) -> None:
        check_positive(heads=self.heads, head_dim=self.head_dim, ratio=self.ratio, keep=self.keep)

    def build(self, width: int) -> nn.Module:
        return EViTLayers(width, self, self.units(width)["hidden"])

    def units(self, width: int) -> dict[str, int]:
        return {"heads": self.heads, "hidden": round(width * self.ratio)}

    def resized(self, width: int, dimension: str, units: int) -> "EViT":
        return replace(self, heads=units) if dimension == "heads" else replace(self, ratio=units / width)


class EViTLayers(nn.Module):
    """The layers of one EViT block."""

    def __init__(self, width: int, config: EViT, hidden: int) -> None:
        super().__init__()
        inner = config.heads * config.head_dim
        self.head_dim, self.keep = config.head_dim, config.keep
        self.place = start_at_zero(depthwise(width, 3))
        self.norm = nn.LayerNorm(width)
        self.look = nn.Linear(width, 1, bias=False)
        # Not q, k, v: it attends for other tokens in every image, so `loss: attention-output` must not pair them up.
        self.queries = nn.Linear(width, inner)
        self.keys = nn.Linear(width, inner)
        self.values = nn.Linear(width, inner)
        self.project = start_at_zero(nn.Linear(inner, width))
        self.mlp_norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, hidden)
        self.act = ACTIVATIONS[config.act]()
        self.down = start_at_zero(nn.Linear(hidden, width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        tokens = (x + self.place(x)).flatten(2).transpose(1, 2)  # (N, H W, C)
        n, length, c = map(int, tokens.shape)
        y = self.norm(tokens)
        scores = self.look(y).squeeze(2)  # (N, H W)
        seen = scores.softmax(1).unsqueeze(1) @ y  # (N, 1, C)
        kept = max(1, round(self.keep * length))
        if kept >= length:
            tokens = self._attend(tokens, y, seen)
        else:
            order = torch.arange(length, 0, -1, device=x.device, dtype=x.dtype) * STEP  # of equals the first
            first = torch.arange(0, n * length, length, device=x.device)[:, None]  # row of each image's first token
            best = (scores + order).topk(kept, 1).indices + first
            rows, every = best.flatten(), tokens.reshape(n * length, c)
            chosen, normed = (t.reshape(n * length, c)[rows].reshape(n, kept, c) for t in (tokens, y))
            tokens = every.index_put((rows,), self._attend(chosen, normed, seen).flatten(0, 1))
        return tokens.reshape(n, length, c).transpose(1, 2).reshape(x.shape)

    def _attend(self, tokens: Tensor, y: Tensor, seen: Tensor) -> Tensor:
        """Attention of the tokens, normalised y, to each other and to `seen`, and the MLP: (N, tokens, C)."""
        whole = torch.cat([y, seen], 1)
        q, k, v = (self._heads(part) for part in (self.queries(y), self.keys(whole), self.values(whole)))
        attended = scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        tokens = tokens + self.project(attended)
        return tokens + self.down(self.act(self.up(self.mlp_norm(tokens))))

    def _heads(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], x.shape[1], -1, self.head_dim).transpose(1, 2)
