"""Attention to a few regions, chosen for each. Source: Zhu et al. 2023, arXiv:2303.08810 (BiFormer)."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from spaces.blocks.block import BLOCKS, check_kernel, check_positive
from spaces.layers import ACTIVATIONS, attend, depthwise, feed_forward, pointwise, start_at_zero


@BLOCKS.register("biformer")
@dataclass(frozen=True)
class BiFormer:
    """x + project(routed(q, k, v) + local(v)) of norm(x), then x + mlp(x).

    The map is cut into regions. The mean query of each is compared with the mean key of all, and its positions attend
    to those of the `top` best regions only: shapes are static, and the choice is a TopK and a Gather in the file.
    heads: prefix of the heads of the largest, which share the choice. head_dim: channels a head (shares no weights).
    regions: at most so many along each side: the most that divide it, so that all regions are alike (one along a prime
    side that is longer); along time alone for series. top: where there are no more regions, attention is whole.
    kernel: odd, taps of the depthwise `local`. ratio: hidden channels of the MLP a channel. Differs: BatchNorm; `local`
    is the only layer that knows positions. It pays on large maps: with 64 channels .36 of the time of the same block
    with whole attention at 32 x 32 positions (1.06 of 2.99 ms), .84 at 16 x 16, but 1.45 at 8 x 8, float in ONNX
    Runtime.
    """

    heads: int = 2
    head_dim: int = 16
    regions: int = 4
    top: int = 2
    kernel: int = 5
    ratio: float = 2
    act: str = "gelu"
    kind: ClassVar[str] = "biformer"
    separate: ClassVar[tuple[str, ...]] = ("head_dim",)
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {"act": tuple(ACTIVATIONS)}

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_positive(heads=self.heads, head_dim=self.head_dim, ratio=self.ratio)
        check_positive(regions=self.regions, top=self.top)

    def build(self, width: int) -> nn.Module:
        return BiFormerLayers(width, self, self.units(width)["hidden"])

    def units(self, width: int) -> dict[str, int]:
        return {"heads": self.heads, "hidden": round(width * self.ratio)}

    def resized(self, width: int, dimension: str, units: int) -> "BiFormer":
        return replace(self, heads=units) if dimension == "heads" else replace(self, ratio=units / width)


class BiFormerLayers(nn.Module):
    """The layers of one BiFormer block."""

    def __init__(self, width: int, config: BiFormer, hidden: int) -> None:
        super().__init__()
        inner = config.heads * config.head_dim
        self.head_dim, self.regions, self.top = config.head_dim, config.regions, config.top
        self.norm = nn.BatchNorm2d(width)
        self.q = pointwise(width, inner, bias=True)
        self.k = pointwise(width, inner, bias=True)
        self.v = pointwise(width, inner, bias=True)
        self.local = depthwise(inner, config.kernel)
        self.project = start_at_zero(pointwise(inner, width, bias=True))
        self.mlp = feed_forward(width, hidden, config.act)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        y = self.norm(x)
        q, k, v = self.q(y), self.k(y), self.v(y)
        x = x + self.project(self._attend(q, k, v) + self.local(v))
        return x + self.mlp(x)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        rows, columns = (parts(int(side), self.regions) for side in q.shape[2:])
        if rows * columns <= self.top:
            return attend(q, k, v, self.head_dim)
        shape = q.shape
        q, k, v = (split(x, rows, columns) for x in (q, k, v))
        return join(attend_to_best(q, k, v, self.head_dim, self.top), rows, columns, shape)


def parts(side: int, most: int) -> int:
    """The largest number of equal parts of a side, at most `most`."""
    return next(count for count in range(min(side, most), 0, -1) if side % count == 0)


def split(x: Tensor, rows: int, columns: int) -> Tensor:
    """(N, C, H, W) -> (N, rows * columns, positions of a region, C)."""
    n, channels, height, width = map(int, x.shape)
    by_row = x.permute(0, 2, 3, 1).reshape(n, rows, height // rows, columns, width // columns * channels)
    return by_row.transpose(2, 3).reshape(n, rows * columns, -1, channels)  # in two steps: engines copy whole runs


def join(x: Tensor, rows: int, columns: int, shape: torch.Size) -> Tensor:
    """What `split` took apart: (N, regions, positions of a region, C) -> (N, C, H, W), which is `shape`."""
    n, channels, height, width = map(int, shape)
    by_region = x.reshape(n, rows, columns, height // rows, width // columns * channels)
    return by_region.transpose(2, 3).reshape(n, height, width, channels).permute(0, 3, 1, 2)


def attend_to_best(q: Tensor, k: Tensor, v: Tensor, head_dim: int, top: int) -> Tensor:
    """Every position looks at those of the `top` regions whose mean key is most like its region's mean query.

    (N, regions, positions, C) each -> (N, regions, positions, C).
    """
    n, regions, _, channels = q.shape
    best = (q.mean(2) @ k.mean(2).transpose(1, 2)).topk(top, 2).indices  # (N, regions, top)
    chosen = (best + torch.arange(0, n * regions, regions, device=q.device)[:, None, None]).flatten()
    queries = q.flatten(0, 1)
    keys, values = (x.flatten(0, 1)[chosen].reshape(n * regions, -1, channels) for x in (k, v))
    queries, keys, values = (x.unflatten(2, (-1, head_dim)).transpose(1, 2) for x in (queries, keys, values))
    attended = scaled_dot_product_attention(queries, keys, values).transpose(1, 2)
    # A copy that is in every graph: ExecuTorch's attention lays its result out in another way than PyTorch's.
    return attended.clone(memory_format=torch.contiguous_format).reshape(q.shape)
