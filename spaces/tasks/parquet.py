"""Your own images: a Parquet file in the Hugging Face convention.

A column of structs `{bytes, path}` with encoded images and a column of labels: text, or int64 with class names in the
schema's `huggingface` metadata where present. Source: Hugging Face datasets, Image feature.
"""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from spaces.tasks.data import TASKS, Data, DataError, make_data
from spaces.tasks.table import Source, load_parts, read_labels, read_table


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
        table = read_table(path, (self.image, self.label), limit)
        labels, names = read_labels(table, self.label, path, known)
        images = [self._decode(row, path, i) for i, row in enumerate(table.column(self.image).to_pylist())]
        shapes = {image.shape for image in images}
        if len(shapes) > 1:
            raise DataError(
                f"images of {path} have {len(shapes)} shapes, e.g. {sorted(shapes)[:2]}. "
                "Write `size: 32` to resize them."
            )
        return torch.from_numpy(np.stack(images)).float(), labels, names

    def _decode(self, row: dict[str, Any] | bytes, path: str, index: int) -> np.ndarray:
        """One encoded image -> (C, H, W) uint8."""
        from PIL import Image, UnidentifiedImageError

        encoded = row["bytes"] if isinstance(row, dict) else row
        try:
            image = Image.open(io.BytesIO(encoded)).convert("RGB" if self.channels == 3 else "L")
        except (UnidentifiedImageError, OSError, TypeError) as error:
            what = f"{len(encoded)} bytes" if isinstance(encoded, bytes) else f"a {type(encoded).__name__}"
            hint = " Write `kind: series`." if isinstance(encoded, list) else ""
            raise DataError(
                f"row {index} of {path} is not an image, but {what} in column {self.image!r}.{hint}"
            ) from error
        if self.size:
            image = image.resize((self.size, self.size), Image.Resampling.BILINEAR)
        pixels = np.asarray(image)
        return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
