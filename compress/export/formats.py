"""One network in several formats: an ONNX file, and under the same name beside it what engines run that read no ONNX.

The ONNX file is always there and stands for the network: by its sha256 a measurement is found again. Whoever writes it
for a device asks the device which `formats` its engines run, and `write_beside` writes those.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from compress.artifact import sha256_of
from compress.export import EXPORTERS, ExportError

if TYPE_CHECKING:
    from torch import nn

ONNX = "onnx"
SUFFIXES = (".pte", ".pt2")  # of what lies beside an ONNX file


def write_beside(whole: nn.Module, input_shape: tuple[int, ...], path: Path, formats: Iterable[str]) -> None:
    """Write `whole`, the network of the ONNX file at `path` in its simplest form, in every other of these formats.

    Raises: ExportError. Cost: the exporters'.
    """
    for name in others(formats):
        exporter = EXPORTERS.get(name)
        if exporter.write_module is None:
            raise ExportError(f"no engine runs the format {name!r}. Name one of a device's `formats`.")
        exporter.write_module(whole, input_shape, beside(path, name))


def others(formats: Iterable[str]) -> list[str]:
    """These formats without ONNX."""
    return [name for name in formats if name != ONNX]


def beside(path: Path, name: str) -> Path:
    """Where the same network lies in the format of that name."""
    return path.with_suffix(EXPORTERS.get(name).suffix)


def file_read_by(path: Path, suffix: str) -> Path | None:
    """The file that an engine runs which reads files of this suffix: `path`, or the one beside it; None if neither is
    there. A file that is given in another format than ONNX is itself only; one of no known format is taken for ONNX."""
    own = format_of(path)
    if suffix == f".{own}":
        return path
    found = path.with_suffix(suffix)
    return found if own == ONNX and found.is_file() else None


def format_of(path: Path) -> str:
    """The format's name by a file's suffix; ONNX where it has none that another format has."""
    return path.suffix[1:] if path.suffix in SUFFIXES else ONNX


def copy_all(path: Path, target: Path) -> Path:
    """Copy an ONNX file together with what lies beside it; returns `target`."""
    for suffix in SUFFIXES:
        if path.with_suffix(suffix).is_file():
            shutil.copyfile(path.with_suffix(suffix), target.with_suffix(suffix))
    return Path(shutil.copyfile(path, target))


def digests(path: Path) -> set[str]:
    """sha256 of the ONNX file and of what lies beside it."""
    found = {path, *(path.with_suffix(suffix) for suffix in SUFFIXES)}
    return {sha256_of(file) for file in found if file.is_file()}
