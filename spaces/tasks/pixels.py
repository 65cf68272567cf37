"""Encoded images (PNG, JPEG, ...) -> pixels of one shape, and what is wrong with those that are none."""

import io
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch

from spaces.tasks.data import DataError

SHOWN = 10  # broken images that are named


def decode(encoded: bytes, size: int, channels: int, what: str, where: str = "") -> np.ndarray:
    """One encoded image -> (channels, H, W) uint8, size x size pixels unless `size` is 0.

    A photo is turned as its EXIF says it was taken. A JPEG much larger than asked is decoded at a half, a quarter or an
    eighth, which is up to 5 times faster. Raises: DataError: "`what` is not an image, but 7 bytes`where`."
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    mode = "RGB" if channels == 3 else "L"
    try:
        image = Image.open(io.BytesIO(encoded))
        if size:
            image.draft(mode, (2 * size, 2 * size))
        if image.mode == "F":
            raise DataError(f"{what} has pixels with a fraction{where}. Write them with 8 or 16 bits.")
        if image.mode.startswith("I"):  # 16 bits: Pillow would make everything above 255 white
            image = Image.fromarray((np.asarray(image) // 256).clip(0, 255).astype(np.uint8))
        image = ImageOps.exif_transpose(image).convert(mode)
    except UnidentifiedImageError as error:
        raise DataError(f"{what} is not an image, but {len(encoded)} bytes{where}.") from error
    except DataError:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:  # all of them Pillow's
        reason = str(error).rstrip(".")
        raise DataError(f"{what} is a damaged image of {len(encoded)} bytes{where}: {reason}.") from error
    if size:
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def decode_all(images: Iterable[Callable[[], np.ndarray]], where: str) -> list[np.ndarray]:
    """What each of the calls gives. Raises: DataError: with all images that are none and not the first alone."""
    found, wrong = list[np.ndarray](), list[str]()
    for image in images:
        try:
            found.append(image())
        except DataError as error:
            wrong.append(str(error))
    if len(wrong) == 1:
        raise DataError(f"{wrong[0]} Remove or replace it.")
    if wrong:
        more = [f"and {len(wrong) - SHOWN:,} more"] if len(wrong) > SHOWN else []
        listed = "\n  ".join([*wrong[:SHOWN], *more])
        count = f"{len(wrong):,} of {len(wrong) + len(found):,} images of {where} cannot be read"
        raise DataError(f"{count}. Remove or replace them:\n  {listed}")
    return found


def stacked(images: Sequence[np.ndarray], where: str) -> torch.Tensor:
    """(N, C, H, W) float32. Raises: DataError: unless all have one shape."""
    shapes = sorted({image.shape for image in images})
    if len(shapes) > 1:
        raise DataError(
            f"images of {where} have {len(shapes)} shapes, e.g. {shapes[:2]}. Write `size: 32` to resize them."
        )
    return torch.from_numpy(np.stack(images)).float()
