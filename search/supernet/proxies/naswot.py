"""NASWOT: how differently a fresh network treats different images. Source: Mellor et al. 2021, arXiv:2006.04647.

Differs: the signs of what goes into an activation are compared, not which of ReLU's outputs are zero, so that networks
with GELU, SiLU or rational activations have a score too.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from compress.train import Batch
from search.supernet.proxies import PROXIES
from spaces.layers import ACTIVATIONS, Rational

IMAGES = 64


@PROXIES.register("naswot")
def naswot(network: nn.Sequential, batch: Batch, seed: int, teacher: nn.Sequential) -> float:
    """Log determinant of the images' agreement: one row an image, the number of activations with equal signs."""
    x = batch.x[:IMAGES]
    agreement, kinds = (
        torch.zeros(len(x), len(x), dtype=torch.float64),
        (Rational, *(type(make()) for make in ACTIVATIONS.values())),
    )

    def add(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if len(inputs[0]) != len(x):
            return  # a block that mixes the positions of all images: no row is an image
        signs = (inputs[0].flatten(1) > 0).float()
        agreement.add_(signs @ signs.T + (1 - signs) @ (1 - signs).T)

    for layer in network.modules():
        if isinstance(layer, kinds):
            layer.register_forward_pre_hook(add)
    with torch.no_grad():
        network(x)
    units = float(agreement[0, 0])
    return float(torch.linalg.slogdet(agreement + 1e-6 * units * torch.eye(len(x), dtype=torch.float64))[1])
