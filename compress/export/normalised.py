"""The normalisation of the data as part of the network, so that a file takes raw pixels."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from compress.export import ExportError, Normalisation
from spaces.merge import merge


class Normalised(nn.Module):
    """network(x * scale + shift): raw (N, C, H, W) or (N, C, L) -> logits. One multiply and one add of constants.

    axes: how many follow the channels, 2 for images and 1 for series.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, network: nn.Module, normalisation: Normalisation, axes: int = 2) -> None:
        super().__init__()
        shape = (1, -1, *[1] * axes)
        mean, std = (torch.tensor(numbers, dtype=torch.float64).reshape(shape) for numbers in normalisation)
        self.network = network
        self.register_buffer("scale", (1 / std).float())
        self.register_buffer("shift", (-mean / std).float())

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) or (N, C, L) -> (N, classes)."""
        return self.network(x * self.scale + self.shift)


def exportable(network: nn.Module, normalisation: Normalisation, input_shape: tuple[int, ...]) -> Normalised:
    """A copy of `network` in eval mode and float32 behind its normalisation, with every layer in its simplest form.

    BatchNorm is folded into the convolution before it and a layer that has a `for_export` is replaced by that: the
    same function with fewer operators, so an export takes about two thirds of the time.
    Raises: ExportError: if the normalisation does not fit.
    """
    mean, std = normalisation
    channels, *axes = input_shape
    if not len(mean) == len(std) == channels:
        raise ExportError(f"the normalisation needs {channels} means and stds, got {len(mean)} and {len(std)}.")
    if min(std) <= 0:
        raise ExportError(f"every std must be positive, got {min(std)}. Use 1.0 for a constant channel.")
    whole = Normalised(merge(copy.deepcopy(network).eval()), normalisation, len(axes)).eval().float()
    simplify_layers(whole)
    return whole.requires_grad_(False)


def simplify_layers(network: nn.Module) -> None:
    """Fold every BatchNorm2d that directly follows a Conv2d in a Sequential, and let layers replace themselves.

    A subclass with a forward of its own may call its layers in another order than it holds them: it stays as it is.
    """
    for module in list(network.modules()):
        for name, layer in list(module.named_children()):
            simplest: Any = getattr(layer, "for_export", None)
            if simplest:
                setattr(module, name, simplest())
        if isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward:
            names = list(module._modules)
            for first, second in zip(names, names[1:], strict=False):
                convolution, norm = module.get_submodule(first), module.get_submodule(second)
                if _is_foldable(convolution, norm):
                    setattr(module, first, fuse_conv_bn_eval(convolution, norm))  # type: ignore[type-var]
                    setattr(module, second, nn.Identity())


def _is_foldable(convolution: nn.Module, norm: nn.Module) -> bool:
    """Not where a parametrization makes the weights, and not where the statistics are those of each batch."""
    if not isinstance(convolution, nn.Conv2d) or not isinstance(norm, nn.BatchNorm2d):
        return False
    return "weight" in dict(convolution.named_parameters(recurse=False)) and norm.running_mean is not None
