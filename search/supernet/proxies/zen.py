"""Zen-score: how much a fresh network's features move when its input does. Source: Lin et al. 2021, arXiv:2102.01063.

Differs: BatchNorm's variance is that of the batch, read by a hook, and not a running mean, which would depend on the
momentum. A network without BatchNorm has the first term alone.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from compress.train import Batch
from search.supernet.proxies import PROXIES

NOISE, IMAGES, REPEATS = 0.01, 16, 2


@PROXIES.register("zen")
def zen(network: nn.Sequential, batch: Batch, seed: int, teacher: nn.Sequential) -> float:
    """Mean over two draws of weights and noise images of log ||change of the features|| + log of BatchNorm's scales."""
    features = network[:-1]  # all but the head
    generator, scores, scales = torch.Generator().manual_seed(seed), [], list[float]()

    def scale(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        variance = inputs[0].transpose(0, 1).flatten(1).var(1).mean()
        scales.append(0.5 * math.log(max(float(variance), 1e-12)))

    for layer in features.modules():
        if isinstance(layer, _BatchNorm):
            layer.register_forward_pre_hook(scale)
    with torch.no_grad():
        for _ in range(REPEATS):
            for parameter in features.parameters():
                if parameter.ndim > 1:
                    parameter.normal_(generator=generator)
            x = torch.randn(IMAGES, *batch.x.shape[1:], generator=generator)
            moved = features(x + NOISE * torch.randn(x.shape, generator=generator))
            scales.clear()  # the scales of the unmoved images count
            change = (features(x) - moved).flatten(1).norm(dim=1).mean()
            scores.append(math.log(max(float(change), 1e-30)) + sum(scales))
    return sum(scores) / len(scores)
