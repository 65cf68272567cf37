"""Whether an exported file answers as the network it was made from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from compress.export import Exporter, ExportError, Normalisation
from compress.export.normalised import Normalised


@dataclass(frozen=True)
class Agreement:
    """images: how many were compared. difference: the largest of any logit, as a part of the largest logit. alike: the
    share of images with the same answer."""

    images: int
    difference: float
    alike: float


def agreement(
    exporter: Exporter, path: Path, network: nn.Module, normalisation: Normalisation, x: np.ndarray
) -> Agreement:
    """Compare the file's answers to `x`, (N, C, H, W) raw pixels, with torch's. Raises: ExportError: if they differ by
    more than the format's tolerance, or the file does not run."""
    expected, found = answers_of(network, normalisation, x), exporter.answers(path, x)
    difference = furthest(found, expected)
    if not difference <= exporter.tolerance:  # a NaN is no agreement
        raise ExportError(
            f"{path.name} answers differently from the network, by {difference:.2g} of the largest logit where "
            f"{exporter.tolerance:g} is allowed. Export another format, or look for a value beyond its range."
        )
    return Agreement(len(x), difference, float((found.argmax(1) == expected.argmax(1)).mean()))


def answers_of(network: nn.Module, normalisation: Normalisation, x: np.ndarray) -> np.ndarray:
    """(N, classes): of the network as it stands, in no simpler form, to one image after the other."""
    whole = Normalised(network.eval(), normalisation, x.ndim - 2)
    with torch.no_grad():
        return torch.cat([whole(image) for image in torch.from_numpy(x).float().split(1)]).numpy()


def furthest(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference of any logit, as a part of the largest logit."""
    return float(np.abs(found - expected).max() / max(float(np.abs(expected).max()), 1e-12))
