"""The same layers for series as for images: a series is an image of one row, and a kernel keeps its middle row only.

On one row the taps above and below the middle of a padded k x k kernel see nothing but padding. Without them it is a
1 x k kernel that computes the same, so a block is written once and means the same along time.
"""

from torch import Tensor, nn

from spaces.layers import start_at_zero


class OneRow(nn.Module):
    """(N, C, L) -> (N, C, 1, L): a view."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, L) -> (N, C, 1, L)."""
        return x.unsqueeze(2)


def for_series(module: nn.Module) -> nn.Module:
    """Replace each k x k convolution by the 1 x k one along time, in place, under the same name; `module` may be one.

    Stride, dilation, groups and bias stay. Weights are drawn anew, for the fewer taps, and those that are all zero stay
    zero. Works on meta. Returns the module.
    Raises: ValueError: for another layer with a kernel (maximum, transposed convolution): it has no form for series.
    """
    if isinstance(module, nn.Conv2d):
        return middle_row(module)
    if isinstance(module, nn.AvgPool2d) and not module.count_include_pad:
        return module  # one row of a padded image has the mean of its neighbours in the row
    if hasattr(module, "kernel_size"):
        raise ValueError(
            f"a {type(module).__name__} has no form for series. Build the block from nn.Conv2d, or use it for images."
        )
    for name, layer in list(module.named_children()):
        setattr(module, name, for_series(layer))
    return module


def middle_row(layer: nn.Conv2d) -> nn.Conv2d:
    """The convolution along the rows alone; the same one if it has no other."""
    if layer.kernel_size[0] == 1:
        return layer
    _, taps = layer.kernel_size
    padding = layer.padding if isinstance(layer.padding, str) else (0, layer.padding[1])
    row = nn.Conv2d(
        layer.in_channels, layer.out_channels, (1, taps), (1, layer.stride[1]), padding, (1, layer.dilation[1]),
        layer.groups, layer.bias is not None, layer.padding_mode, layer.weight.device, layer.weight.dtype,
    )  # fmt: skip
    is_zero = not layer.weight.is_meta and not bool(layer.weight.any())
    return start_at_zero(row) if is_zero else row  # type: ignore[return-value]
