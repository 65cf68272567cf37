"""Layers that train as more than they ship as: parallel kernels, experts that are averaged."""

from typing import Any

from torch import nn


def merge(network: nn.Module) -> nn.Module:
    """Replace each layer that has a `merged()` by what that returns, in place; `network` itself may be one.

    The result computes the same in evaluation mode. It is what is exported, and so what is counted and measured. Works
    on meta. Returns the network.
    """
    if hasattr(network, "merged"):
        whole: Any = network
        return whole.merged().train(network.training)
    for name, layer in list(network.named_children()):
        setattr(network, name, merge(layer))
    return network
