"""ZiCo: gradients that are large and alike from batch to batch. Source: Li et al. 2023, arXiv:2301.11300."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from compress.train import Batch
from search.supernet.proxies import PROXIES

PARTS = 4  # of the batch


@PROXIES.register("zico")
def zico(network: nn.Sequential, batch: Batch, seed: int, teacher: nn.Sequential) -> float:
    """Sum over layers of the log of the summed mean |gradient| over its deviation between parts of the batch."""
    weights = [p for p in network.parameters() if p.ndim > 1]
    seen: list[list[torch.Tensor]] = [[] for _ in weights]
    for x, y in zip(batch.x.chunk(PARTS), batch.y.chunk(PARTS), strict=True):
        network.zero_grad()
        cross_entropy(network(x), y).backward()
        for found, weight in zip(seen, weights, strict=True):
            if weight.grad is not None:
                found.append(weight.grad.abs().flatten())
    total = 0.0
    for found in seen:
        if len(found) > 1:
            stacked = torch.stack(found)
            deviation = stacked.std(0)
            moving = deviation > 1e-12
            if moving.any():
                total += math.log(float((stacked.mean(0)[moving] / deviation[moving]).sum()))
    return total
