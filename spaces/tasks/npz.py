"""Arrays in a `.npz` file, and what is wrong with it."""

import zipfile
from typing import IO

import numpy as np
from numpy.lib import format as npy

from spaces.registry import nearest
from spaces.tasks.data import DataError
from spaces.tasks.table import check_there


def read_arrays(path: str, names: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """Examples and their labels, as they are in the file. Raises: DataError: with the nearest name to a missing one."""
    shapes = array_shapes(path)
    for name in names:
        if name not in shapes:
            close = nearest(name, list(shapes)) or next(iter(shapes))
            raise DataError(f"{path} has no array {name!r}, but {', '.join(shapes)}. Did you mean {close!r}?")
    with np.load(path, allow_pickle=False) as file:
        try:
            x, y = (file[name] for name in names)
        except ValueError as error:
            raise DataError(f"{path} holds Python objects, which are not read. Save plain numbers or text.") from error
    if x.dtype.kind not in "biuf":
        raise DataError(f"{names[0]!r} of {path} holds {x.dtype}, not numbers.")
    if not len(x) or len(x) != len(y):
        raise DataError(f"{names[0]!r} of {path} has {len(x)} examples and {names[1]!r} {len(y)} labels.")
    return x, y


def array_shapes(path: str) -> dict[str, tuple[int, ...]]:
    """{name: shape} of the arrays in a file, without reading them. Raises: DataError: if it is not one."""
    check_there(path)
    try:
        with zipfile.ZipFile(path) as file:
            found = {info.filename.removesuffix(".npy"): file.open(info) for info in file.infolist()}
            return {name: _shape(stream) for name, stream in found.items()}
    except (zipfile.BadZipFile, ValueError) as error:
        raise DataError(
            f"{path} is not an .npz file of arrays: {error}. numpy.savez(file, x=x, y=y) writes one."
        ) from error


def _shape(stream: IO[bytes]) -> tuple[int, ...]:
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    return read(stream)[0]
