"""Your own series (sensor logs, audio, features of speech): a Parquet file with lists of numbers.

From arrays x of shape (N, L), or (N, C, L) for several channels, and labels y:

    table = pyarrow.table({"series": x.tolist(), "label": y})
    pyarrow.parquet.write_table(table, "train.parquet")
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from spaces.tasks.data import TASKS, Data, DataError, make_data
from spaces.tasks.stratified import drawn
from spaces.tasks.table import Source, load_parts, read_labels, read_table

if TYPE_CHECKING:
    import pyarrow as pa

WANTED = "a series is a list of numbers, or for several channels a list of such lists"


@TASKS.register("series")
@dataclass(frozen=True)
class Series:
    """path, test_path, validation, test, seed, limit: as in the task `parquet`.

    series: the column with the numbers; or several, "x, y, z", each a channel. length: cut longer series and fill
    shorter ones with zeros, both at the end (0: all must have one length). shift, noise: augmentation, by up to so many
    time steps, and by so much of a channel's standard deviation.
    """

    path: str
    test_path: str = ""
    series: str = "series"
    label: str = "label"
    validation: float = 0.1
    test: float = 0.1
    seed: int = 0
    limit: int = 0
    length: int = 0
    shift: int = 0
    noise: float = 0.0

    def __post_init__(self) -> None:
        self._files()
        for name in ("length", "shift", "noise"):
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` must not be negative, got {getattr(self, name)}.")
        if not self.columns or len(set(self.columns)) < len(self.columns):
            raise ValueError(f'`series` must name different columns, got {self.series!r}. Write `series: "x, y, z"`.')

    @property
    def columns(self) -> list[str]:
        """Names of the columns that hold the numbers."""
        return [name.strip() for name in self.series.split(",") if name.strip()]

    def load(self) -> Data:
        """Read the series: seconds for 100 MB of numbers."""
        parts = load_parts(self._files(), self._read)
        parts = parts._replace(source=f"{parts.source} {self.length} {self.noise}")
        return make_data(*parts, self.shift, noise=self.noise)

    def _files(self) -> Source:
        return Source(self.path, self.test_path, self.validation, self.test, self.seed, self.limit)

    def _read(
        self, path: str, limit: int, known: tuple[str, ...]
    ) -> tuple[torch.Tensor, torch.Tensor, tuple[str, ...]]:
        table = read_table(path, (*self.columns, self.label))
        labels, names = read_labels(table, self.label, path, known)
        channels = [part for name in self.columns for part in _channels(table.column(name), f"{name!r} of {path}")]
        rows = drawn(labels.numpy(), limit)
        return torch.from_numpy(_stacked(channels, self.length, path)[rows]), labels[rows], names


@dataclass(frozen=True)
class Channel:
    """One channel of all series: their numbers one after the other, and how many each has."""

    numbers: np.ndarray  # float32
    lengths: np.ndarray  # (N,) int


def _channels(column: pa.ChunkedArray, where: str) -> list[Channel]:
    """The channels of one column. Raises: DataError."""
    array: Any = column.combine_chunks()
    _check_whole(array, where)
    if not _is_list(array.type) or not _is_number(_inner(array.type)):
        raise DataError(f"column {where} holds {array.type}; {WANTED}.")
    if not _is_list(array.type.value_type):
        return [_channel(array, where)]
    counts = _lengths(array)
    first = int(counts[0])
    if not first or (counts != first).any():
        row = int((counts != first).argmax())
        raise DataError(f"row {row} of column {where} has {counts[row]} channels, the first one {first}.")
    every = array.flatten()
    _check_whole(every, where, first)
    return [_channel(every.take(np.arange(i, len(every), first)), where) for i in range(first)]


def _channel(array: Any, where: str) -> Channel:
    lengths = _lengths(array)
    values = array.flatten()
    numbers = values.to_numpy(zero_copy_only=False).astype(np.float32)  # a null becomes NaN
    if not np.isfinite(numbers).all():
        first = int(np.flatnonzero(~np.isfinite(numbers))[0])
        row = int(np.searchsorted(np.cumsum(lengths), first, side="right"))
        raise DataError(
            f"row {row} of column {where} has {numbers[first]} at step {first - int(lengths[:row].sum())}. "
            "Fill the gap or leave the row out."
        )
    return Channel(numbers, lengths)


def _stacked(channels: list[Channel], length: int, path: str) -> np.ndarray:
    """(N, C, L) float32. Raises: DataError: unless all lengths are one, or `length` says what to make of them."""
    lengths = np.stack([channel.lengths for channel in channels], 1)  # (N, C)
    uneven = np.flatnonzero((lengths != lengths[:, :1]).any(1))
    if len(uneven):
        found = ", ".join(map(str, lengths[uneven[0]]))
        raise DataError(f"the channels of row {uneven[0]} of {path} have {found} steps. They must be equally long.")
    shortest, longest = int(lengths.min()), int(lengths.max())
    if not longest:
        raise DataError(f"all series of {path} are empty.")
    if shortest < longest and not length:
        raise DataError(
            f"series of {path} have {shortest} to {longest} steps. "
            f"Write `length: {longest}` to fill the shorter ones with zeros."
        )
    filled = np.zeros((*lengths.shape, longest), np.float32)
    inside = np.arange(longest) < lengths[:, :1]  # (N, L)
    for index, channel in enumerate(channels):
        filled[:, index][inside] = channel.numbers
    missing = max(0, length - longest)
    return np.pad(filled, ((0, 0), (0, 0), (0, missing)))[:, :, : length or longest]


def _lengths(array: Any) -> np.ndarray:
    """(N,) how long each list is."""
    from pyarrow import compute

    count: Any = vars(compute)["list_value_length"]  # made at run time, so no type checker knows it
    return count(array).to_numpy(zero_copy_only=False).astype(int)


def _check_whole(array: Any, where: str, per_row: int = 1) -> None:
    if array.null_count:
        row = int(array.is_null().to_numpy(zero_copy_only=False).argmax()) // per_row
        raise DataError(f"row {row} of column {where} is empty; {WANTED}.")


def _is_list(kind: Any) -> bool:
    from pyarrow import types

    return types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)


def _inner(kind: Any) -> Any:
    """What lists, or lists of lists, are made of."""
    for _ in range(2):
        kind = kind.value_type if _is_list(kind) else kind
    return kind


def _is_number(kind: Any) -> bool:
    from pyarrow import types

    return types.is_integer(kind) or types.is_floating(kind)
