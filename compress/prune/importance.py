"""What a unit (a channel, a head, an expert) is worth to a network: four ways to say it.

magnitude: the squares of its weights (Li et al. 2017, arXiv:1608.08710). taylor: how much the loss would change without
it, to first order: the squared sum of weight times gradient (Molchanov et al. 2019, arXiv:1906.10771). bn: the squares
of its BatchNorm factors (Liu et al. 2017, arXiv:1708.06519; without the penalty in training that they use). hessian:
the loss that its weights carry to second order, from the diagonal of the Hessian (LeCun et al. 1990, Optimal brain
damage), estimated by squared gradients.

All are summed over everything that belongs to a unit; the first three with each tensor scaled to a mean of 1, so that
tensors count alike, as in Fang et al. 2023, arXiv:2301.12900 (DepGraph), the last in the unit of the loss. Units of one
dimension are compared, never those of two.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from compress.prune.dimensions import Axis, Layers, by_unit
from spaces.tasks import Data

IMPORTANCES = ("magnitude", "taylor", "bn", "hessian")
IMAGES, BATCH, FEW = 512, 64, 8  # for the gradient; FEW at a time for the hessian
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def gradients(network: nn.Module, data: Data) -> dict[str, Tensor]:
    """The gradient of the mean cross-entropy on the first 512 training images, by parameter; the network is not
    changed, and is asked in eval mode, as it will be used. Cost: 512 images forwards and backwards."""
    parameters = {name: p for name, p in network.named_parameters() if p.requires_grad}
    total = {name: torch.zeros_like(p) for name, p in parameters.items()}
    images, labels = data.train.x[:IMAGES], data.train.y[:IMAGES]
    for x, y in zip(images.split(BATCH), labels.split(BATCH), strict=True):
        loss = cross_entropy(network(data.normalise(x)), y, reduction="sum") / len(images)
        found = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
        for name, gradient in zip(parameters, found, strict=True):
            if gradient is not None:
                total[name] += gradient
    return total


def curvatures(network: nn.Module, data: Data) -> dict[str, Tensor]:
    """The mean squared gradient of single images, by parameter: the diagonal of the Hessian where the model is right
    (the empirical Fisher information). On the same images as `gradients`, 8 at a time: the square of a mean of 8 is an
    eighth of the mean square, as far as gradients of images are independent. Cost: as `gradients`, in smaller batches.
    """
    parameters = {name: p for name, p in network.named_parameters() if p.requires_grad}
    total = {name: torch.zeros_like(p) for name, p in parameters.items()}
    images, labels = data.train.x[:IMAGES], data.train.y[:IMAGES]
    for x, y in zip(images.split(FEW), labels.split(FEW), strict=True):
        loss = cross_entropy(network(data.normalise(x)), y)
        found = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
        for name, gradient in zip(parameters, found, strict=True):
            if gradient is not None:
                total[name] += gradient.square() * (len(x) ** 2 / len(images))
    return total


def slopes_for(kind: str, network: nn.Module, data: Data) -> dict[str, Tensor] | None:
    """What an importance needs to know of the loss, by parameter; None where it needs nothing."""
    find = {"taylor": gradients, "hessian": curvatures}.get(kind)
    return find(network, data) if find else None


def importance(
    tensors: Mapping[str, Tensor],
    found: tuple[Axis | Layers, ...],
    units: int,
    kind: str = "magnitude",
    slopes: Mapping[str, Tensor] | None = None,
) -> Tensor:
    """(units,): the worth of every unit of the dimension whose axes are `found`. slopes: see `slopes_for`.

    A dimension without BatchNorm (heads, experts) is judged by magnitude where `bn` is asked for.
    """
    axes = [axis for axis in found if not axis.tensor.endswith(STATISTICS)]
    if kind == "bn":
        axes = [axis for axis in axes if _is_norm_factor(axis.tensor, tensors)] or axes
    total = torch.zeros(units)
    for axis in axes:
        weights = by_unit(tensors, axis, units).detach().float()
        slope = by_unit(slopes, axis, units) if slopes is not None and axis.tensor in slopes else None
        if kind == "taylor" and slope is not None:
            worth = (weights * slope).sum(1).square()
        elif kind == "hessian" and slope is not None:
            worth = (weights.square() * slope).sum(1) / 2
        else:
            worth = weights.square().sum(1)
        total += worth if kind == "hessian" and slope is not None else worth / worth.mean().clamp_min(1e-12)
    return total


def _is_norm_factor(name: str, tensors: Mapping[str, Tensor]) -> bool:
    return name.endswith(".weight") and f"{name.removesuffix('weight')}running_var" in tensors
