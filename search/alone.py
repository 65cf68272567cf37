"""Training a network of the space from nothing: what shared weights and searches are compared with."""

from collections.abc import Callable

import torch
from torch import nn

from compress.train import Training, fit, hard_labels
from spaces.architecture import Architecture
from spaces.network import build
from spaces.tasks import Data


def fresh(arch: Architecture, seed: int) -> nn.Sequential:
    """The network with the random weights that belong to `seed`; torch's own generator stays where it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(arch)


def trained_alone(
    arch: Architecture, data: Data, training: Training, seed: int, before_step: Callable[[], None] | None = None
) -> nn.Sequential:
    """The network trained on the labels, in eval mode. Raises: NonFiniteLoss, and what `before_step` raises."""
    network = fresh(arch, seed)
    fit(network, data, training, hard_labels(training.smoothing), seed, before_step=before_step)
    return network
