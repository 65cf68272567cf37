"""Scores that guess how well an architecture will do without training it: one file a score, larger is better.

The contract: `score(network, batch, seed, teacher)` of a freshly initialised network in training mode; teacher: a fresh
largest network of the same space, for a score that compares. It may change both, so every score gets its own copies
(`score_all`). None of them may be believed alone: a rank certificate shows each beside parameters, MACs and depth.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from compress.train import Batch
from spaces.registry import Registry

Proxy = Callable[[nn.Sequential, Batch, int, nn.Sequential], float]
PROXIES: Registry[Proxy] = Registry("proxy", "lathe.proxies")

import search.supernet.proxies.diswot  # noqa: E402  (these register themselves in PROXIES)
import search.supernet.proxies.grad_norm  # noqa: E402
import search.supernet.proxies.naswot  # noqa: E402
import search.supernet.proxies.synflow  # noqa: E402
import search.supernet.proxies.zen  # noqa: E402
import search.supernet.proxies.zico  # noqa: E402, F401


def score_all(network: nn.Sequential, batch: Batch, seed: int, teacher: nn.Sequential) -> dict[str, float]:
    """Every registered score of a fresh network, NaN where one is not finite. `network` and `teacher` stay as they are.

    Residual branches that start at zero are woken first: their layers would otherwise have neither signs nor gradients.
    """
    awake, teaches = woken(network, seed), woken(teacher, seed)
    found = {}
    with torch.random.fork_rng(devices=[]):
        for name, score in PROXIES.items():
            torch.manual_seed(seed)
            value = score(copy.deepcopy(awake).train(), batch, seed, copy.deepcopy(teaches).train())
            found[name] = value if math.isfinite(value) else math.nan
    return found


def woken(network: nn.Sequential, seed: int) -> nn.Sequential:
    """A copy whose all-zero weights are drawn as those of a usual layer: scales 1, others He-normal."""
    changed = copy.deepcopy(network)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for layer in changed.modules():
            weight = getattr(layer, "weight", None)
            if isinstance(weight, nn.Parameter) and not weight.any():
                if isinstance(layer, _BatchNorm) or weight.ndim < 2:
                    weight.fill_(1.0)
                else:
                    nn.init.kaiming_normal_(weight)
    return changed
