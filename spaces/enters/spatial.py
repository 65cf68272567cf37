"""Residual spatial reduction. Source: Liao et al. 2021, arXiv:2109.00642 (ViT-ResNAS)."""

from torch import Tensor, nn

from spaces.enters import ENTERS
from spaces.layers import pointwise, start_at_zero


@ENTERS.register("spatial")
def spatial(inputs: int, outputs: int, stride: int) -> nn.Module:
    """pointwise(pool(x)) + conv(norm(x)): a path of means beside the convolution, as in front of transformer blocks.

    The convolution is 3 x 3 where the resolution drops, 1 x 1 where it stays and nothing is pooled, and starts at zero,
    as a residual branch does. Differs: the source fills the path of means up with zeros to the new width, which ties
    channel i of one stage to channel i of the next, while pruning orders the channels of each by themselves; no table
    of positions.
    """
    return SpatialReduction(inputs, outputs, stride)


class SpatialReduction(nn.Module):
    """The layers of one `spatial` enter."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        kernel = 1 if stride == 1 else 3
        self.norm = nn.LayerNorm(inputs)
        self.conv = start_at_zero(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2))
        pool = nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False)
        self.pool = pool if stride > 1 else nn.Identity()
        self.pointwise = pointwise(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, ceil(H / stride), ceil(W / stride))."""
        normed = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return self.pointwise(self.pool(x)) + self.conv(normed)
