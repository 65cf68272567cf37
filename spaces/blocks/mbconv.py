"""Inverted residual. Source: Sandler et al. 2018, arXiv:1801.04381; squeeze-excitation as in arXiv:1905.02244."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import nn

from spaces.blocks.block import BLOCKS, check_kernel, check_positive
from spaces.layers import ACTIVATIONS, Residual, SqueezeExcite, depthwise, pointwise, start_at_zero


@BLOCKS.register("mbconv")
@dataclass(frozen=True)
class MBConv:
    """x + project(gate(act(depthwise(act(expand(x)))))), each convolution followed by BatchNorm.

    kernel: odd, taps of the depthwise convolution. expand: hidden channels a channel. se: squeeze-excitation.
    act: relu6 and relu fuse with int8 convolutions in ONNX Runtime, hardswish, silu and gelu do not.
    """

    kernel: int = 3
    expand: float = 4
    se: bool = False
    act: str = "relu6"
    kind: ClassVar[str] = "mbconv"
    separate: ClassVar[tuple[str, ...]] = ()
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {"act": tuple(ACTIVATIONS)}

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_positive(expand=self.expand)

    def build(self, width: int) -> nn.Module:
        hidden = self.units(width)["hidden"]
        branch: OrderedDict[str, nn.Module] = OrderedDict()
        branch["expand"] = pointwise(width, hidden)
        branch["expand_norm"] = nn.BatchNorm2d(hidden)
        branch["expand_act"] = ACTIVATIONS[self.act]()
        branch["depthwise"] = depthwise(hidden, self.kernel)
        branch["depthwise_norm"] = nn.BatchNorm2d(hidden)
        branch["depthwise_act"] = ACTIVATIONS[self.act]()
        if self.se:
            branch["se"] = SqueezeExcite(hidden)
        branch["project"] = pointwise(hidden, width)
        branch["project_norm"] = start_at_zero(nn.BatchNorm2d(width))
        return Residual(nn.Sequential(branch))

    def units(self, width: int) -> dict[str, int]:
        return {"hidden": round(width * self.expand)}

    def resized(self, width: int, dimension: str, units: int) -> "MBConv":
        return replace(self, expand=units / width)
