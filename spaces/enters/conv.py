"""Convolution and BatchNorm."""

from collections import OrderedDict

from torch import nn

from spaces.enters import ENTERS


@ENTERS.register("conv")
def conv(inputs: int, outputs: int, stride: int) -> nn.Module:
    """3 x 3 where the resolution drops, 1 x 1 where it stays."""
    kernel = 1 if stride == 1 else 3
    layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(OrderedDict(conv=layer, norm=nn.BatchNorm2d(outputs)))
