"""What a unit (a channel, a head, an expert) is worth to a network: three ways to say it.

magnitude: the squares of its weights (Li et al. 2017, arXiv:1608.08710). taylor: how much the loss would change without
it, to first order: the squared sum of weight times gradient (Molchanov et al. 2019, arXiv:1906.10771). bn: the squares
of its BatchNorm factors (Liu et al. 2017, arXiv:1708.06519; without the penalty in training that they use).

All are summed over everything that belongs to a unit, each tensor scaled to a mean of 1 so that tensors count alike, as
in Fang et al. 2023, arXiv:2301.12900 (DepGraph).
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from compress.prune.dimensions import Axis
from spaces.tasks import Data

IMPORTANCES = ("magnitude", "taylor", "bn")
IMAGES, BATCH = 512, 64  # for the gradient
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


def importance(
    tensors: dict[str, Tensor],
    found: tuple[Axis, ...],
    units: int,
    kind: str = "magnitude",
    slopes: dict[str, Tensor] | None = None,
) -> Tensor:
    """(units,): the worth of every unit of the dimension whose axes are `found`. slopes: gradients, for `taylor`.

    A dimension without BatchNorm (heads, experts) is judged by magnitude where `bn` is asked for.
    """
    axes = [axis for axis in found if not axis.tensor.endswith(STATISTICS)]
    if kind == "bn":
        axes = [axis for axis in axes if _is_norm_factor(axis.tensor, tensors)] or axes
    total = torch.zeros(units)
    for axis in axes:
        weights = tensors[axis.tensor].detach().float()
        if kind == "taylor" and slopes is not None and axis.tensor in slopes:
            worth = _by_unit(weights * slopes[axis.tensor], axis.axis, units).sum(1).square()
        else:
            worth = _by_unit(weights, axis.axis, units).square().sum(1)
        total += worth / worth.mean().clamp_min(1e-12)
    return total


def _by_unit(values: Tensor, axis: int, units: int) -> Tensor:
    return values.movedim(axis, 0).reshape(units, -1)


def _is_norm_factor(name: str, tensors: dict[str, Tensor]) -> bool:
    return name.endswith(".weight") and f"{name.removesuffix('weight')}running_var" in tensors
