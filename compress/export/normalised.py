"""The normalisation of the data as part of the network, so that a file takes raw pixels."""

import copy

import torch
from torch import Tensor, nn

from compress.export import ExportError, Normalisation


class Normalised(nn.Module):
    """network(x * scale + shift): raw pixels (N, C, H, W) -> logits. One multiply and one add of constants."""

    scale: Tensor
    shift: Tensor

    def __init__(self, network: nn.Module, normalisation: Normalisation) -> None:
        super().__init__()
        mean, std = (torch.tensor(numbers, dtype=torch.float64).reshape(1, -1, 1, 1) for numbers in normalisation)
        self.network = network
        self.register_buffer("scale", (1 / std).float())
        self.register_buffer("shift", (-mean / std).float())

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, classes)."""
        return self.network(x * self.scale + self.shift)


def exportable(network: nn.Module, normalisation: Normalisation, channels: int) -> Normalised:
    """A copy of `network` in eval mode and float32 behind its normalisation.

    Raises: ExportError: if the normalisation does not fit.
    """
    mean, std = normalisation
    if not len(mean) == len(std) == channels:
        raise ExportError(f"the normalisation needs {channels} means and stds, got {len(mean)} and {len(std)}.")
    if min(std) <= 0:
        raise ExportError(f"every std must be positive, got {min(std)}. Use 1.0 for a constant channel.")
    whole = Normalised(copy.deepcopy(network), normalisation).eval().float()
    return whole.requires_grad_(False)
