"""A fresh network made fit for timing in int8."""

from torch import nn


def wake_up(network: nn.Module) -> nn.Module:
    """Give every parameter that is zero throughout random values, in place, and return the network.

    A residual branch whose last layer starts at zero is quantized to scales so small that its file is slow, unlike that
    of any trained network (studies/LOG.md). Latency depends on no other values. Draws from torch's generator.
    """
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.uniform_(parameter, -0.5, 0.5)
    return network
