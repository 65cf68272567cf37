"""Images or series with labels, split once by a seed, with the constants that every network of a study shares."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from spaces.registry import Registry


class DataError(ValueError):
    """A data source that cannot be read as examples with labels; the message says what and where."""


@dataclass(frozen=True)
class Scores:
    """What networks are worth that others trained. names: of the decisions that tell them apart. known: {what they
    decide, in this order, None where a network has no such decision: accuracy, 0 to 1}."""

    names: tuple[str, ...]
    known: Mapping[tuple[Any, ...], float]

    def accuracy(self, decided: Mapping[str, Any]) -> float:
        """Of the network with these decisions. Raises ValueError if the table does not know it."""
        key = tuple(decided.get(name) for name in self.names)
        if key not in self.known:
            named = ", ".join(f"{name} = {value}" for name, value in zip(self.names, key, strict=True))
            raise ValueError(f"the table has no network with {named}.")
        return self.known[key]


class Split(NamedTuple):
    """x: (N, C, H, W) images or (N, C, L) series, float32, raw as they come from the sensor. y: (N,) int64."""

    x: Tensor
    y: Tensor

    def first(self, n: int) -> "Split":
        """The first n examples, which are any n (`stratified.split_indices`); 0: all of them."""
        return Split(self.x[:n], self.y[:n]) if n else self


@dataclass(frozen=True)
class Data:
    """A loaded task.

    `read_test` is called for final numbers only. mean, std: per channel, of the training part, in raw units; exported
    files carry them. digest: sha256 of every split's bytes and of the class names. crop_pixels, flip, noise: what
    training varies (random shift by up to so many pixels or time steps, random mirror image; and for series noise of
    that part of a channel's std). white: the raw value of a full pixel (black is 0). licence: of the examples, ""
    where the source does not say. scores: what is known of networks beforehand; then there are no examples.
    test_counts: how many examples of each class the test part has, where it was drawn from the same file, else ().
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
    noise: float = 0.0
    scores: Scores | None = None
    test_counts: tuple[int, ...] = ()

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(channels, height, width) of one image, or (channels, length) of one series."""
        return tuple(self.train.x.shape[1:])

    @property
    def is_augmented(self) -> bool:
        """Whether training sees an example differently each time."""
        return bool(self.crop_pixels or self.flip or self.noise)

    def normalise(self, x: Tensor) -> Tensor:
        """Raw numbers -> zero mean and unit variance per channel, float32 of the same shape.

        In channels_last order, which every layer then keeps: it halves a training step on CPU, where the weight
        gradient of a depthwise convolution is 3 times slower in the default order.
        """
        shape = (1, -1, *[1] * (x.ndim - 2))
        normal = (x.float() - torch.tensor(self.mean).reshape(shape)) / torch.tensor(self.std).reshape(shape)
        if x.ndim == 3:
            return normal.transpose(1, 2).contiguous().transpose(1, 2)
        return normal.to(memory_format=torch.channels_last)  # `contiguous` keeps a single channel as it is


class Task(Protocol):
    """A frozen dataclass of what to load and how to split it."""

    def load(self) -> Data:
        """Read the data. Raises DataError with the remedy."""
        ...


TASKS: Registry[type[Task]] = Registry("task", "lathe.tasks")


def check_classes(examples: int, classes: int, path: str) -> None:
    """Raises DataError for a single class, and for more than 20 of which the average one has less than two examples."""
    if classes < 2:
        raise DataError(f"all examples of {path} have one class: there is nothing to tell apart. Add another class.")
    if classes > max(20, examples / 2):
        raise DataError(
            f"{path} has {classes:,} classes for {examples:,} examples: too few of each to learn from. "
            "Labels are classes, no quantities; numbers of classes go from 0 without gaps."
        )


def make_data(
    train: Split,
    validation: Split,
    read_test: Callable[[], Split],
    classes: tuple[str, ...],
    source: str,
    test_counts: tuple[int, ...] = (),
    crop_pixels: int = 0,
    flip: bool = False,
    white: float = 255.0,
    licence: str = "",
    noise: float = 0.0,
) -> Data:
    """Data with the training part's statistics and a digest of what was read. `source` stands for the test part.

    Raises DataError for a shift that may leave nothing of an example.
    """
    side = min(train.x.shape[2:])
    if crop_pixels >= side:
        name, unit = ("crop_pixels", "pixels") if train.x.ndim == 4 else ("shift", "steps")
        raise DataError(
            f"`{name}` must be less than the {side:,} {unit} of an example, got {crop_pixels:,}. Write {side // 8}."
        )
    numbers = train.x.float()
    axes = (0, *range(2, numbers.ndim))
    digest = hashlib.sha256(repr((classes, source, crop_pixels, flip)).encode())
    for split in (train, validation):
        digest.update(split.x.contiguous().numpy().tobytes())
        digest.update(split.y.numpy().tobytes())
    mean = tuple(numbers.mean(axes).tolist())
    std = tuple(numbers.std(axes).clamp_min(1e-6).tolist())
    return Data(
        train,
        validation,
        read_test,
        classes,
        mean,
        std,
        digest.hexdigest(),
        crop_pixels,
        flip,
        white,
        licence,
        noise,
        test_counts=test_counts,
    )
