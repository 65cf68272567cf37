"""Residual block of full convolutions. Source: He et al. 2016, arXiv:1512.03385."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import nn

from spaces.blocks.block import BLOCKS, check_kernel, check_positive
from spaces.layers import ACTIVATIONS, Residual, SpatialGate, SqueezeExcite, convolution, start_at_zero


@BLOCKS.register("resnet")
@dataclass(frozen=True)
class ResNet:
    """x + narrow(act(mix(x))), each convolution followed by BatchNorm; a bottleneck has a third one in front.

    form: `basic` is two k x k convolutions, `bottleneck` 1 x 1, k x k, 1 x 1 (share no weights). ratio: hidden channels
    a channel; the source has 1 for basic, 0.25 for bottleneck. se, spatial: the gates of SE and of CBAM. Differs: no
    activation behind the sum, so that a fresh block is the identity (He et al. 2016b, arXiv:1603.05027).
    """

    form: str = "basic"
    kernel: int = 3
    ratio: float = 1
    se: bool = False
    spatial: bool = False
    act: str = "relu"
    kind: ClassVar[str] = "resnet"
    separate: ClassVar[tuple[str, ...]] = ("form",)
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {"act": tuple(ACTIVATIONS), "form": ("basic", "bottleneck")}

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_positive(ratio=self.ratio)

    def build(self, width: int) -> nn.Module:
        hidden, wide = self.units(width)["hidden"], self.form == "basic"
        branch: OrderedDict[str, nn.Module] = OrderedDict()
        if not wide:
            branch["reduce"] = convolution(width, hidden, 1)
            branch["reduce_norm"] = nn.BatchNorm2d(hidden)
            branch["reduce_act"] = ACTIVATIONS[self.act]()
        branch["mix"] = convolution(width if wide else hidden, hidden, self.kernel)
        branch["mix_norm"] = nn.BatchNorm2d(hidden)
        branch["mix_act"] = ACTIVATIONS[self.act]()
        branch["project"] = convolution(hidden, width, self.kernel if wide else 1)
        branch["project_norm"] = start_at_zero(nn.BatchNorm2d(width))
        if self.se:
            branch["se"] = SqueezeExcite(width)
        if self.spatial:
            branch["spatial"] = SpatialGate()
        return Residual(nn.Sequential(branch))

    def units(self, width: int) -> dict[str, int]:
        return {"hidden": round(width * self.ratio)}

    def resized(self, width: int, dimension: str, units: int) -> "ResNet":
        return replace(self, ratio=units / width)
