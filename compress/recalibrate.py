"""BatchNorm statistics for a network whose weights came from elsewhere: from a supernet or from a larger network."""

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
    momenta, was_training = [norm.momentum for norm in norms], network.training
    network.eval()
    for norm in norms:
        norm.momentum = 1.0
        norm.train()
    with torch.no_grad(), visiting(network) as here:
        network(x[:IMAGES].to(here))
    network.train(was_training)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
