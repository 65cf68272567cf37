"""Pieces of networks, and whole networks, as files that only a clock will look at."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from compress.export import Normalisation
from compress.export.awake import wake_up
from compress.export.screening import export_for_screening, export_part
from compress.quantize.int8 import quantize_static
from spaces.architecture import Architecture
from spaces.network import Placed, build
from spaces.placements import Placement

COPIES = 3  # of a block in one file, so that what a call costs by itself weighs little; a block keeps the shape
FLOAT, INT8 = PRECISIONS = ("float", "int8")


def copies_of(placed: Placement) -> int:
    """How often a piece stands in its file."""
    return COPIES if isinstance(placed.piece, Placed) else 1


def block_files(
    placed: Placement, precisions: Sequence[str], stem: Path, formats: Sequence[str] = ("onnx",)
) -> dict[str, Path]:
    """{precision: file} of a piece, `copies_of` times behind each other. formats: that the device's engines read.

    Cost: 0.1-0.3 s each, and of other formats than ONNX 3 s and more.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(*(placed.build() for _ in range(copies_of(placed)))).eval()
        plain = export_part(wake_up(network), placed.input_shape, stem.with_suffix(".float.onnx"), formats)
    return _quantized(plain, placed.input_shape, precisions, stem)


def network_files(
    arch: Architecture,
    normalisation: Normalisation,
    precisions: Sequence[str],
    stem: Path,
    formats: Sequence[str] = ("onnx",),
) -> dict[str, Path]:
    """{precision: file} of a whole network with random weights. Cost: 0.5 s each."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = wake_up(build(arch).eval())
    plain = export_for_screening(network, normalisation, arch.input_shape, stem.with_suffix(".float.onnx"), formats)
    return _quantized(plain, arch.input_shape, precisions, stem)


def _quantized(plain: Path, shape: tuple[int, ...], precisions: Sequence[str], stem: Path) -> dict[str, Path]:
    """The float file and what is made of it, as wanted."""
    found = {FLOAT: plain}
    if INT8 in precisions:
        images = np.random.default_rng(0).random((2, *shape), dtype=np.float32)
        found[INT8] = quantize_static(plain, images, stem.with_suffix(".int8.onnx"))
    return {precision: found[precision] for precision in precisions}
