"""DisWOT: how much a fresh network sees as a fresh teacher does. Source: Dong et al. 2023, arXiv:2303.15678.

Differs: the teacher is a largest network of the space; classes are compared with each other, not channels, so that the
two may differ in width; both parts are a mean over rows of relations, where the source divides the second by the images
again.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from compress.train import Batch
from search.supernet.proxies import PROXIES


@PROXIES.register("diswot")
def diswot(network: nn.Sequential, batch: Batch, seed: int, teacher: nn.Sequential) -> float:
    """Minus the mean squared distance between what the two say of how classes and images lie to each other: 0 at most.

    Classes lie to each other as the weights of their activation maps (Grad-CAM): the labels' gradient to the last
    linear layer. Images do as their last feature maps.
    """
    pairs = zip(_relations(network, batch), _relations(teacher, batch), strict=True)
    return -sum(float((ours - theirs).square().sum(1).mean()) for ours, theirs in pairs)


def _relations(network: nn.Sequential, batch: Batch) -> tuple[Tensor, Tensor]:
    """(classes, classes) and (N, N): products of all with all, each row of length 1."""
    features, head = network[:-1](batch.x), network[-1]
    linear: Any = head.linear
    (gradient,) = torch.autograd.grad(cross_entropy(head(features), batch.y), linear.weight)
    return _products(gradient), _products(features.detach().flatten(1))


def _products(rows: Tensor) -> Tensor:
    return normalize(rows @ rows.T, dim=1)
