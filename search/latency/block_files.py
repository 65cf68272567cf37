"""Pieces of networks, and whole networks, as files that only a clock will look at."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from compress.export import Normalisation
from compress.export.awake import wake_up
from compress.export.screening import export_for_screening, export_part
from search.latency.precision import FLOAT, INT8, int8_file
from spaces.architecture import Architecture
from spaces.network import Placed, build
from spaces.placements import Placement

COPIES = 3  # of a block in one file, so that what a call costs by itself weighs little; a block keeps the shape


def copies_of(placed: Placement) -> int:
    """How often a piece stands in its file."""
    return COPIES if isinstance(placed.piece, Placed) else 1


def block_files(
    placed: Placement, precisions: Sequence[str], stem: Path, formats: Sequence[str] = ("onnx",)
) -> dict[str, Path]:
    """{precision: file} of a piece, `copies_of` times behind each other. formats: that the device's engines read.

    Cost: 0.1-0.3 s each, and of other formats than ONNX 3 s and more.
    """
    with torch.random.fork_rng(devices=[]):
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
    plain = stem.with_suffix(".float.onnx")
    export_for_screening(woken(arch), normalisation, arch.input_shape, plain, formats)
    return _quantized(plain, arch.input_shape, precisions, stem)


def woken(arch: Architecture) -> nn.Module:
    """The network with random weights that are fit for timing in int8 too, the same ones every time, in eval mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return wake_up(build(arch).eval())


def _quantized(plain: Path, shape: tuple[int, ...], precisions: Sequence[str], stem: Path) -> dict[str, Path]:
    """The float file and what is made of it, as wanted."""
    found = {FLOAT: plain}
    if INT8 in precisions:
        found[INT8] = int8_file(plain, shape, stem.with_suffix(".int8.onnx"))
    return {precision: found[precision] for precision in precisions}
