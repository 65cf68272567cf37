"""Experts in training, one MLP in the file. Source: Huang et al. 2023, arXiv:2308.06093 (Experts Weights Averaging)."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear

from spaces.blocks.block import BLOCKS, check_kernel, check_positive
from spaces.layers import ACTIVATIONS, convolution_of, depthwise, start_at_zero

SHARE = 0.5  # how far every expert is drawn to the mean of all, so that the mean remains a working network


@BLOCKS.register("ewa")
@dataclass(frozen=True)
class EWA:
    """x + expert(norm(depthwise(x))): in training every position goes to one of the experts at random.

    experts: prefix of those of the largest; they start equal. Evaluated, exported, counted and measured is one MLP with
    the mean of their weights. ratio: hidden channels a channel. kernel: odd, taps of the depthwise convolution.
    Differs: weights are drawn to the mean when they are used, by a fixed share, not stepped towards it after an update.
    """

    experts: int = 2
    ratio: float = 2
    kernel: int = 3
    act: str = "relu6"
    kind: ClassVar[str] = "ewa"
    separate: ClassVar[tuple[str, ...]] = ()
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {"act": tuple(ACTIVATIONS)}

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_positive(experts=self.experts, ratio=self.ratio)

    def build(self, width: int) -> nn.Module:
        return EWALayers(width, self.experts, self.units(width)["hidden"], self.kernel, self.act)

    def units(self, width: int) -> dict[str, int]:
        return {"hidden": round(width * self.ratio)}

    def resized(self, width: int, dimension: str, units: int) -> "EWA":
        return replace(self, ratio=units / width)


class EWALayers(nn.Module):
    """The layers of one EWA block."""

    def __init__(self, width: int, experts: int, hidden: int, kernel: int, act: str) -> None:
        super().__init__()
        self.mix = nn.Sequential(OrderedDict(depthwise=depthwise(width, kernel), norm=nn.BatchNorm2d(width)))
        self.mlp = AveragedMLP(width, experts, hidden, act)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return x + self.mlp(self.mix(x))


class AveragedMLP(nn.Module):
    """down(act(up(x))) at every position; each of `ups` and `downs` is one expert's."""

    def __init__(self, width: int, experts: int, hidden: int, act: str) -> None:
        super().__init__()
        self.ups = nn.ModuleList(nn.Linear(width, hidden) for _ in range(experts))
        self.act = ACTIVATIONS[act]()
        self.downs = nn.ModuleList(start_at_zero(nn.Linear(hidden, width)) for _ in range(experts))
        for up in self.ups[1:]:
            up.load_state_dict(self.ups[0].state_dict())

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W). Random in training mode, by torch's own generator."""
        up, down = mean_of(self.ups), mean_of(self.downs)
        if not self.training:
            return conv2d(self.act(conv2d(x, up[0][..., None, None], up[1])), down[0][..., None, None], down[1])
        positions = x.movedim(1, -1)
        order = torch.randperm(positions[..., 0].numel(), device=x.device)
        parts = positions.flatten(0, 2)[order].tensor_split(len(self.ups))
        outputs = []
        for part, own_up, own_down in zip(parts, self.ups, self.downs, strict=True):
            hidden = self.act(linear(part, *drawn(own_up, up)))
            outputs.append(linear(hidden, *drawn(own_down, down)))
        return torch.cat(outputs)[order.argsort()].reshape(positions.shape).movedim(-1, 1)

    def merged(self) -> nn.Module:
        """The same in evaluation mode: the mean of the experts as two 1 x 1 convolutions."""
        up, down = (
            convolution_of(weight[..., None, None], bias) for weight, bias in map(mean_of, (self.ups, self.downs))
        )
        return nn.Sequential(OrderedDict(up=up, act=self.act, down=down))


def mean_of(layers: Iterable[Any]) -> tuple[Tensor, Tensor]:
    """(weight, bias): the mean over linear layers."""
    weights, biases = zip(*((layer.weight, layer.bias) for layer in layers), strict=True)
    return torch.stack(weights).mean(0), torch.stack(biases).mean(0)


def drawn(layer: Any, mean: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """(weight, bias) of a linear layer, drawn to the mean of all."""
    return torch.lerp(layer.weight, mean[0], SHARE), torch.lerp(layer.bias, mean[1], SHARE)
