"""Norm of the gradient of one batch. Source: Abdelfattah et al. 2021, arXiv:2101.08134."""

from __future__ import annotations

from torch import nn
from torch.nn.functional import cross_entropy

from compress.train import Batch
from search.supernet.proxies import PROXIES


@PROXIES.register("grad_norm")
def grad_norm(network: nn.Sequential, batch: Batch, seed: int, teacher: nn.Sequential) -> float:
    """Sum over the parameters of the norm of the labels' gradient."""
    cross_entropy(network(batch.x), batch.y).backward()
    return sum(float(p.grad.norm()) for p in network.parameters() if p.grad is not None)
