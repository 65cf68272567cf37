"""The simplest form of a network answers as the network does."""

from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from compress.export import EXPORTERS, ExportError
from compress.export.agreement import agreement
from compress.export.normalised import exportable


class OutOfOrder(nn.Sequential):
    """Holds its BatchNorm right behind its convolution and calls it behind the ReLU."""

    def __init__(self) -> None:
        super().__init__(OrderedDict(convolution=nn.Conv2d(1, 4, 3), norm=nn.BatchNorm2d(4)))

    def forward(self, input: Tensor) -> Tensor:
        convolution, norm = self
        return norm(convolution(input).relu())


NETWORKS = {
    "folded": lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)),
    "a forward of its own": OutOfOrder,
    "without statistics": lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)),
    "computed weights": lambda: nn.Sequential(spectral_norm(nn.Conv2d(1, 4, 3)), nn.BatchNorm2d(4)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_folding_batch_norm_changes_no_answer(name: str) -> None:
    torch.manual_seed(0)
    network = NETWORKS[name]().eval()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None and layer.running_var is not None:
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2.0)
    x = torch.randn(4, 1, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(exportable(network, ((0.0,), (1.0,)), (1, 8, 8))(x), network(x))


def test_a_file_is_compared_with_the_network_as_it_stands(tmp_path: Path) -> None:
    """What lies between a convolution and its BatchNorm is not there any more in the simplest form."""

    class Tapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            norm = nn.BatchNorm2d(4)
            norm.running_var = torch.full((4,), 4.0)
            self.layers = nn.Sequential(nn.Conv2d(1, 4, 3), norm)

        def forward(self, x: Tensor) -> Tensor:
            return (self.layers(x) + self.layers[0](x)).mean((2, 3))

    torch.manual_seed(0)
    network, normalisation, x = Tapped().eval(), ((0.0,), (1.0,)), np.ones((2, 1, 8, 8), np.float32)
    exporter = EXPORTERS.get("pt2")
    path = exporter(network, normalisation, (1, 8, 8), tmp_path / "network.pt2")
    with pytest.raises(ExportError, match="answers differently from the network"):
        agreement(exporter, path, network, normalisation, x)
