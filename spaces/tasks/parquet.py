"""Your own images: a Parquet file in the Hugging Face convention.

A column of structs `{bytes, path}` with encoded images and a column of labels: text, or int64 with class names in the
schema's `huggingface` metadata where present. Source: Hugging Face datasets, Image feature.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from spaces.tasks.data import TASKS, Data, DataError, make_data
from spaces.tasks.pixels import decode, decode_all, stacked
from spaces.tasks.stratified import drawn
from spaces.tasks.table import Source, load_parts, read_labels, read_table


@TASKS.register("parquet")
@dataclass(frozen=True)
class Parquet:
    """path: the file to train on. test_path: the file of the test part; without it a fraction `test` of `path` is kept.

    validation: fraction of `path` for choosing networks, of every class alike. limit: use only so many rows, any of
    them but always the same, every class in its share (0: all). size: resize to size x size pixels (0: all images must
    have one shape). channels: 3 or 1 (grey). crop_pixels, flip: augmentation.
    """

    path: str
    test_path: str = ""
    image: str = "image"
    label: str = "label"
    validation: float = 0.1
    test: float = 0.1
    seed: int = 0
    limit: int = 0
    size: int = 0
    channels: int = 3
    crop_pixels: int = 0
    flip: bool = False

    def __post_init__(self) -> None:
        self._files()
        if self.channels not in (1, 3):
            raise ValueError(f"`channels` must be 1 (grey) or 3 (RGB), got {self.channels}.")

    def load(self) -> Data:
        """Decode the images: about 6 s for 50,000 of 32 x 32 on one core."""
        return make_data(*load_parts(self._files(), self._read), self.crop_pixels, self.flip)

    def _files(self) -> Source:
        return Source(self.path, self.test_path, self.validation, self.test, self.seed, self.limit)

    def _read(
        self, path: str, limit: int, known: tuple[str, ...]
    ) -> tuple[torch.Tensor, torch.Tensor, tuple[str, ...]]:
        table = read_table(path, (self.image, self.label))
        labels, names = read_labels(table, self.label, path, known)
        rows = drawn(labels.numpy(), limit)
        column = table.column(self.image)
        images = decode_all(
            (partial(self._decode, column[row].as_py(), f"row {row} of {path}") for row in rows.tolist()), path
        )
        return stacked(images, path), labels[rows], names

    def _decode(self, row: dict[str, Any] | bytes, what: str) -> np.ndarray:
        encoded = row["bytes"] if isinstance(row, dict) else row
        column = f" in column {self.image!r}"
        if not isinstance(encoded, bytes):
            hint = " Write `kind: series`." if isinstance(encoded, list) else ""
            raise DataError(f"{what} is not an image, but a {type(encoded).__name__}{column}.{hint}")
        return decode(encoded, self.size, self.channels, what, column)
