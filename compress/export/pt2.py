"""torch.export programs: for PyTorch itself, eager or compiled, and what else starts from its graph."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from compress.export import EXPORTERS, Exporter, ExportError, Normalisation
from compress.export.quiet import quiet

if TYPE_CHECKING:
    from torch import nn

NAME = "network.pt2"  # the archive holds its own file's name: one name for all gives equal bytes


def export_pt2(network: nn.Module, normalisation: Normalisation, input_shape: tuple[int, ...], path: Path) -> Path:
    """Write `network` as a torch.export archive; its contract is `Exporter`'s. Raises: ExportError. Cost: 1-2 s."""
    from compress.export.normalised import exportable

    return write_pt2(exportable(network, normalisation, input_shape), input_shape, path)


def write_pt2(whole: nn.Module, input_shape: tuple[int, ...], path: Path) -> Path:
    """A network in its simplest form as an archive. Raises: ExportError."""
    import torch

    with tempfile.TemporaryDirectory(prefix=".lathe-", dir=path.parent) as folder:
        made = Path(folder) / NAME
        try:
            with quiet(), torch.no_grad():
                torch.export.save(torch.export.export(whole, (torch.zeros(1, *input_shape),)), made)
        except Exception as error:
            first = next((line for line in str(error).splitlines() if line.strip()), "no message")
            raise ExportError(
                f"torch.export does not take the network: {first[:300]} Build the block from layers of static shapes."
            ) from error
        os.replace(made, path)
    return path


def answers(path: Path, x: np.ndarray) -> np.ndarray:
    """(N, C, H, W) float32 raw pixels -> (N, classes) float32, by torch itself. Raises: ExportError."""
    import torch

    try:
        with quiet(), torch.no_grad():
            module = torch.export.load(path).module()
            return np.concatenate([module(image).numpy() for image in torch.from_numpy(x).float().split(1)])
    except Exception as error:
        first = next((line for line in str(error).splitlines() if line.strip()), "no message")
        raise ExportError(f"torch cannot run {path}: {first[:300]} Export the network again.") from error


EXPORTERS.register("pt2")(Exporter(export_pt2, answers, ".pt2", 1e-4, write_pt2))
