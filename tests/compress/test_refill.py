"""Other weights in an exported graph give the file that an export from scratch gives."""

import random
from pathlib import Path

import pytest
import torch
from torch import nn

from compress.export import EXPORTERS, ExportError
from compress.export.normalised import exportable
from compress.export.onnx import trace
from compress.export.refill import refilled
from compress.export.tidy import write_tidy
from spaces.architecture import Architecture, Stage
from spaces.blocks import KAN, Attention, MBConv, MoE
from spaces.network import build

NORMALISATION, SHAPE = ((8.0,), (4.0,)), (1, 8, 8)
ALL_KINDS = Architecture(
    SHAPE, 3, 8, 1, (Stage(16, 2, (MBConv(3, 2, True), Attention(1, 8, 1), MoE(2, 1), KAN(3, 1))),)
)


def network(seed: int, arch: Architecture = ALL_KINDS) -> nn.Module:
    """A network whose every tensor has values of its own: branches that start at zero and BatchNorm too."""
    torch.manual_seed(seed)
    made = build(arch)
    for tensor in made.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand_like(tensor) * 0.5 + 0.1)
    return made.eval()


def test_a_refilled_graph_gives_the_bytes_of_an_export_from_scratch(tmp_path: Path) -> None:
    template = trace(exportable(network(0), NORMALISATION, SHAPE), SHAPE)
    other = network(random.Random(0).randrange(1, 1000))
    filled = write_tidy(refilled(template, exportable(other, NORMALISATION, SHAPE)), tmp_path / "filled.onnx")
    fresh = EXPORTERS.get("onnx")(other, NORMALISATION, SHAPE, tmp_path / "fresh.onnx")
    first = write_tidy(template, tmp_path / "first.onnx")
    assert filled.read_bytes() == fresh.read_bytes()
    assert filled.read_bytes() != first.read_bytes()


def test_another_architecture_is_refused() -> None:
    template = trace(exportable(network(0), NORMALISATION, SHAPE), SHAPE)
    wider = Architecture(SHAPE, 3, 8, 1, (Stage(24, 2, ALL_KINDS.stages[0].blocks),))
    with pytest.raises(ExportError, match="on its own"):
        refilled(template, exportable(network(0, wider), NORMALISATION, SHAPE))
