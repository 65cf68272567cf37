"""A small task for tests: noisy copies of a few random pictures, which any working network learns in seconds."""

import torch

from spaces.tasks.data import Data, Split, make_data

CLASSES = 4


def toy_data(
    seed: int = 0,
    train: int = 128,
    channels: int = 1,
    noise: float = 2.0,
    crop_pixels: int = 0,
    flip: bool = False,
    size: tuple[int, ...] = (8, 8),
) -> Data:
    """8 x 8 images, raw values around 8; `train` of them to learn from, 64 to validate and 64 to test on.

    size: (length,) makes them series.
    """
    generator = torch.Generator().manual_seed(seed)
    pictures = 8 + 4 * torch.randn(CLASSES, channels, *size, generator=generator)

    def split(n: int) -> Split:
        y = torch.randint(0, CLASSES, (n,), generator=generator)
        return Split(pictures[y] + noise * torch.randn(n, channels, *size, generator=generator), y)

    test = split(64)
    names = tuple(f"picture {i}" for i in range(CLASSES))
    return make_data(split(train), split(64), lambda: test, names, f"toy {seed}", (), crop_pixels, flip)
