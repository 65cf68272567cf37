"""Your own images: a Parquet file in the Hugging Face convention.

A column of structs `{bytes, path}` with encoded images and a column of int64 labels; class names come from the schema's
`huggingface` metadata where present. Source: Hugging Face datasets, Image feature.
"""

import io
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spaces.registry import nearest
from spaces.tasks.data import TASKS, Data, DataError, Split, make_data, split_indices


@TASKS.register("parquet")
@dataclass(frozen=True)
class Parquet:
    """path: the file to train on. test_path: the file of the test part; without it a fraction `test` of `path` is kept.

    validation: fraction of `path` for choosing networks. limit: read only so many rows (0: all). size: resize to
    size x size pixels (0: all images must have one shape). channels: 3 or 1 (grey). crop_pixels, flip: augmentation.
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
        if self.seed < 0:
            raise ValueError(f"`seed` must not be negative, got {self.seed}.")
        if not 0 < self.validation < 1 or not 0 <= self.test < 1 or self.validation + self.test >= 1:
            raise ValueError(
                f"`validation` and `test` must be fractions that leave something to train on, "
                f"got {self.validation} and {self.test}. Write 0.1 and 0.1."
            )
        if not self.test and not self.test_path:
            raise ValueError("without a `test_path`, `test` must be positive: final numbers need images. Write 0.1.")
        if self.channels not in (1, 3):
            raise ValueError(f"`channels` must be 1 (grey) or 3 (RGB), got {self.channels}.")

    def load(self) -> Data:
        """Decode the images: about 6 s for 50,000 of 32 x 32 on one core."""
        x, y, classes = self._read(self.path, self.limit)
        test_fraction = 0.0 if self.test_path else self.test
        validation, held_back, train = split_indices(len(y), (self.validation, test_fraction), self.seed)
        if not len(train) or not len(validation) or not (len(held_back) or self.test_path):
            raise DataError(
                f"{self.path} has {len(y)} rows: too few to split. Lower `validation` and `test` or add rows."
            )
        read_test = partial(self._read_test, classes) if self.test_path else lambda: Split(x[held_back], y[held_back])
        part = lambda rows: Split(x[rows], y[rows])  # noqa: E731
        source = f"{Path(self.path).name} {Path(self.test_path).name} {len(held_back)}"
        return make_data(part(train), part(validation), read_test, classes, source, self.crop_pixels, self.flip)

    def _read_test(self, classes: tuple[str, ...]) -> Split:
        x, y, _ = self._read(self.test_path, 0)
        if int(y.max()) >= len(classes):
            raise DataError(f"{self.test_path} has label {int(y.max())}, but {self.path} has {len(classes)} classes.")
        return Split(x, y)

    def _read(self, path: str, limit: int) -> tuple[torch.Tensor, torch.Tensor, tuple[str, ...]]:
        import pyarrow
        import pyarrow.parquet

        if not Path(path).is_file():
            folder = Path(path).parent
            close = nearest(Path(path).name, [p.name for p in folder.glob("*.parquet")]) if folder.is_dir() else None
            raise DataError(f"no data file {path}." + (f" Did you mean {close!r}?" if close else " Check `task.path`."))
        try:
            source = pyarrow.parquet.ParquetFile(path)
            for column in (self.image, self.label):
                if column not in source.schema_arrow.names:
                    close = nearest(column, source.schema_arrow.names) or source.schema_arrow.names[0]
                    raise DataError(f"{path} has no column {column!r}. Did you mean {close!r}?")
            table = source.read(columns=[self.image, self.label])
        except pyarrow.ArrowException as error:
            raise DataError(f"{path} is not a Parquet file: {error}") from error
        table = table.slice(0, limit) if limit else table
        if not table.num_rows:
            raise DataError(f"{path} has no rows.")
        labels = table.column(self.label).to_pylist()
        if any(not isinstance(label, int) or label < 0 for label in labels):
            raise DataError(f"column {self.label!r} of {path} must hold class numbers from 0.")
        images = [self._decode(row, path, i) for i, row in enumerate(table.column(self.image).to_pylist())]
        shapes = {image.shape for image in images}
        if len(shapes) > 1:
            raise DataError(
                f"images of {path} have {len(shapes)} shapes, e.g. {sorted(shapes)[:2]}. "
                "Write `size: 32` to resize them."
            )
        x = torch.from_numpy(np.stack(images)).float()
        names = _class_names(table.schema.metadata, self.label)
        if names and max(labels) >= len(names):
            raise DataError(
                f"column {self.label!r} of {path} has label {max(labels)}, but the file names {len(names)} classes."
            )
        return x, torch.tensor(labels), names or tuple(str(number) for number in range(max(labels) + 1))

    def _decode(self, row: dict[str, Any] | bytes, path: str, index: int) -> np.ndarray:
        """One encoded image -> (C, H, W) uint8."""
        from PIL import Image, UnidentifiedImageError

        encoded = row["bytes"] if isinstance(row, dict) else row
        try:
            image = Image.open(io.BytesIO(encoded)).convert("RGB" if self.channels == 3 else "L")
        except (UnidentifiedImageError, OSError, TypeError) as error:
            what = f"{len(encoded)} bytes" if isinstance(encoded, bytes) else f"a {type(encoded).__name__}"
            raise DataError(f"row {index} of {path} is not an image, but {what} in column {self.image!r}.") from error
        if self.size:
            image = image.resize((self.size, self.size), Image.Resampling.BILINEAR)
        pixels = np.asarray(image)
        return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _class_names(metadata: dict[bytes, bytes] | None, label: str) -> tuple[str, ...]:
    """Names from the Hugging Face schema, or none."""
    try:
        return tuple(json.loads((metadata or {})[b"huggingface"])["info"]["features"][label]["names"])
    except (KeyError, TypeError, ValueError):
        return ()
