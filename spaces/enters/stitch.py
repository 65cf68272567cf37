"""Projection between two trained networks. Source: Pan et al. 2023 (SN-Net), arXiv:2302.06586."""

from collections import OrderedDict

from torch import nn

from spaces.enters import ENTERS


@ENTERS.register("stitch")
def stitch(inputs: int, outputs: int, stride: int) -> nn.Module:
    """1 x 1 convolution with a bias: every position mapped alike, by what least squares can fit."""
    return nn.Sequential(OrderedDict(conv=nn.Conv2d(inputs, outputs, 1, stride)))
