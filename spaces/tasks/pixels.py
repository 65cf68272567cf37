"""Encoded images (PNG, JPEG, ...) -> pixels of one shape, and what is wrong with those that are none."""

import io
from collections.abc import Sequence

import numpy as np
import torch

from spaces.tasks.data import DataError


def decode(encoded: bytes, size: int, channels: int, what: str, where: str = "") -> np.ndarray:
    """One encoded image -> (channels, H, W) uint8, size x size pixels unless `size` is 0.

    A JPEG much larger than asked is decoded at a half, a quarter or an eighth, which is up to 5 times faster. Raises:
    DataError: "`what` is not an image, but 7 bytes`where`."
    """
    from PIL import Image, UnidentifiedImageError

    mode = "RGB" if channels == 3 else "L"
    try:
        image = Image.open(io.BytesIO(encoded))
        if size:
            image.draft(mode, (2 * size, 2 * size))
        image = image.convert(mode)
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(f"{what} is not an image, but {len(encoded)} bytes{where}.") from error
    if size:
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def stacked(images: Sequence[np.ndarray], where: str) -> torch.Tensor:
    """(N, C, H, W) float32. Raises: DataError: unless all have one shape."""
    shapes = sorted({image.shape for image in images})
    if len(shapes) > 1:
        raise DataError(
            f"images of {where} have {len(shapes)} shapes, e.g. {shapes[:2]}. Write `size: 32` to resize them."
        )
    return torch.from_numpy(np.stack(images)).float()
