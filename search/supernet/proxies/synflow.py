"""SynFlow: how much flows through a network with its weights' signs taken away. Source: Tanaka et al. 2020,
arXiv:2006.05467; as a score, Abdelfattah et al. 2021, arXiv:2101.08134.

Differs: BatchNorm passes its input on; the logarithm is taken, since the sum spans hundreds of orders of magnitude.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from compress.train import Batch
from search.supernet.proxies import PROXIES


@PROXIES.register("synflow")
def synflow(network: nn.Sequential, batch: Batch, seed: int, teacher: nn.Sequential) -> float:
    """Log of the sum of |weight x gradient| for an image of ones, in double precision."""
    network.double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    for layer in network.modules():
        if isinstance(layer, _BatchNorm):
            layer.register_forward_hook(_passed_on)
    network(torch.ones_like(batch.x[:1], dtype=torch.float64)).sum().backward()
    total = sum(float((p.detach() * p.grad).abs().sum()) for p in network.parameters() if p.grad is not None)
    return math.log(total) if total > 0 else -math.inf


def _passed_on(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    return inputs[0]
