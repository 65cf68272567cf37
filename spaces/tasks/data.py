"""Images and labels, split once by a seed, with the constants that every network of a study shares."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from spaces.registry import Registry


class DataError(ValueError):
    """A data source that cannot be read as images with labels; the message says what and where."""


class Split(NamedTuple):
    """x: (N, C, H, W) float32, raw pixels as they come from the sensor. y: (N,) int64."""

    x: Tensor
    y: Tensor


@dataclass(frozen=True)
class Data:
    """A loaded task.

    `read_test` is called for final numbers only. mean, std: per channel, of the training part, in raw units; exported
    files carry them. digest: sha256 of every split's bytes and of the class names. crop_pixels, flip: augmentation in
    training (random shift by up to so many pixels, random mirror image). white: the raw value of a full pixel (black is
    0). licence: of the images, "" where the source does not say.
    """

    train: Split
    validation: Split
    read_test: Callable[[], Split]
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    digest: str
    crop_pixels: int = 0
    flip: bool = False
    white: float = 255.0
    licence: str = ""

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of one image."""
        c, h, w = self.train.x.shape[1:]
        return c, h, w

    def normalise(self, x: Tensor) -> Tensor:
        """Raw pixels -> zero mean and unit variance per channel, (N, C, H, W) float32.

        In channels_last order, which every layer then keeps: it halves a training step on CPU, where the weight
        gradient of a depthwise convolution is 3 times slower in the default order.
        """
        shape = (1, -1, 1, 1)
        normal = (x.float() - torch.tensor(self.mean).reshape(shape)) / torch.tensor(self.std).reshape(shape)
        return normal.to(memory_format=torch.channels_last)  # `contiguous` keeps a single channel as it is


class Task(Protocol):
    """A frozen dataclass of what to load and how to split it."""

    def load(self) -> Data:
        """Read the data. Raises DataError with the remedy."""
        ...


TASKS: Registry[type[Task]] = Registry("task", "lathe.tasks")


def split_indices(n: int, fractions: tuple[float, ...], seed: int) -> list[np.ndarray]:
    """Disjoint index arrays: one of round(fraction * n) for each fraction, then the rest. Same seed, same split."""
    order = np.random.default_rng(seed).permutation(n)
    parts, start = [], 0
    for fraction in fractions:
        stop = start + round(fraction * n)
        parts.append(np.sort(order[start:stop]))
        start = stop
    return [*parts, np.sort(order[start:])]


def make_data(
    train: Split,
    validation: Split,
    read_test: Callable[[], Split],
    classes: tuple[str, ...],
    source: str,
    crop_pixels: int = 0,
    flip: bool = False,
    white: float = 255.0,
    licence: str = "",
) -> Data:
    """Data with the training part's statistics and a digest of what was read. `source` stands for the test part."""
    pixels = train.x.float()
    digest = hashlib.sha256(repr((classes, source, crop_pixels, flip)).encode())
    for split in (train, validation):
        digest.update(split.x.contiguous().numpy().tobytes())
        digest.update(split.y.numpy().tobytes())
    mean = tuple(pixels.mean((0, 2, 3)).tolist())
    std = tuple(pixels.std((0, 2, 3)).clamp_min(1e-6).tolist())
    return Data(train, validation, read_test, classes, mean, std, digest.hexdigest(), crop_pixels, flip, white, licence)
