"""BatchNorm statistics for a network whose weights came from elsewhere: from a supernet or from a larger network."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from compress.processor import visiting

IMAGES = 384  # as good as all of them on digits


def recalibrate(network: nn.Module, x: Tensor) -> None:
    """Replace the running statistics in place by those of one pass over up to 384 normalised training images `x`.

    One large batch gives the pooled variance exactly (an average over small batches loses the variance between them).
    The statistics of a supernet belong to no network, so nothing reports an accuracy without calling this first. All
    but BatchNorm runs in eval mode: behind a dropout, or experts that are drawn at random, they would be those of
    another network than the one that is used. Cost: one forward pass, on the `processor`.
    """
    norms = [layer for layer in network.modules() if isinstance(layer, _BatchNorm)]
    if not norms:
        return
    was_training = network.training
    network.eval()
    with visiting(network) as here, measuring(norms), torch.no_grad():
        network(x[:IMAGES].to(here))
    network.train(was_training)


@contextlib.contextmanager
def measuring(norms: Sequence[_BatchNorm]) -> Iterator[None]:
    """Within, one forward pass replaces the norms' statistics by those of all that each of them sees.

    A norm that is called several times in a pass, as a shared layer is, has one set of statistics for all of its calls:
    the mean and the variance of what it sees in them together. (What reaches a later call was normalised by the
    earlier one's own statistics, as in training.) The norms are in training mode within.
    """
    momenta = [norm.momentum for norm in norms]
    seen: list[list[tuple[int, Tensor, Tensor]]] = [[] for _ in norms]

    def watch(calls: list[tuple[int, Tensor, Tensor]]) -> Any:
        def keep(norm: _BatchNorm, given: tuple[Tensor, ...], _: Tensor) -> None:
            if norm.running_mean is not None and norm.running_var is not None:
                samples = given[0].numel() // norm.num_features
                calls.append((samples, norm.running_mean.clone(), norm.running_var.clone()))

        return keep

    hooks = [norm.register_forward_hook(watch(calls)) for norm, calls in zip(norms, seen, strict=True)]
    for norm in norms:
        norm.momentum = 1.0
        norm.train()
    try:
        yield
    finally:
        for norm, momentum, hook in zip(norms, momenta, hooks, strict=True):
            norm.momentum = momentum
            hook.remove()
    for norm, calls in zip(norms, seen, strict=True):
        if len(calls) > 1:
            _pool(norm, calls)


def _pool(norm: _BatchNorm, calls: Sequence[tuple[int, Tensor, Tensor]]) -> None:
    """Set the statistics to those of all calls together. calls: samples, mean and unbiased variance of each."""
    assert norm.running_mean is not None and norm.running_var is not None
    counts = norm.running_mean.new_tensor([samples for samples, _, _ in calls], dtype=torch.float64)[:, None]
    means = torch.stack([mean for _, mean, _ in calls]).double()
    variances = torch.stack([variance for _, _, variance in calls]).double()
    total = counts.sum()
    mean = (counts * means).sum(0) / total
    within, between = ((counts - 1) * variances).sum(0), (counts * (means - mean).square()).sum(0)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_((within + between) / (total - 1))
