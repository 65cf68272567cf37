"""Quality on a split, with intervals, from logits: of a torch network or of an exported file."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from compress.confusion import Confusion, confusion_of, wilson
from compress.processor import visiting
from compress.threads import timed_batches
from spaces.tasks import Data, Split

POSITIONS = 32_768  # pixels, or time steps, that a CPU evaluates at once, of at most 512 examples
GPU_TIMES = 64  # so many times as many on a GPU, where launching a kernel costs more than its work


@dataclass(frozen=True)
class Quality:
    """What one network did on n images: one number an image, so that two networks can be paired.

    loss_interval and accuracy_interval: 95 %, of the mean over images like these (normal; Wilson's for accuracy).
    """

    losses: np.ndarray  # (n,) float64, cross-entropy in nats
    correct: np.ndarray  # (n,) bool
    answers: np.ndarray  # (n,) int64, the class of the largest logit

    @property
    def n(self) -> int:
        """Images."""
        return len(self.losses)

    @property
    def loss(self) -> float:
        """Mean cross-entropy in nats."""
        return float(self.losses.mean())

    @property
    def accuracy(self) -> float:
        """Share of correct answers, 0 to 1."""
        return float(self.correct.mean())

    @property
    def loss_interval(self) -> tuple[float, float]:
        """95 % interval of the mean loss."""
        half = 1.96 * float(self.losses.std()) / math.sqrt(self.n)
        return self.loss - half, self.loss + half

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """95 % interval of the accuracy."""
        return wilson(self.accuracy, self.n)

    def confusion(self, labels: np.ndarray, classes: Sequence[str]) -> Confusion:
        """How often which class was answered as which. labels: (n,), the true class of the same images."""
        return confusion_of(labels.tolist(), self.answers.tolist(), classes)


class NotFinite(ValueError):
    """A network answered with a value that is no number; the message says what to do."""


def quality_of(logits: np.ndarray, labels: np.ndarray) -> Quality:
    """Quality from logits (n, classes) and labels (n,). Raises NotFinite."""
    if not np.isfinite(logits).all():
        raise NotFinite("the network put out a value that is not finite. Train it with a lower `lr` or `clip`.")
    shifted = logits.astype(np.float64) - logits.max(1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(1))
    losses = log_sum - shifted[np.arange(len(labels)), labels]
    answers = logits.argmax(1)
    return Quality(losses, answers == labels, answers)


def evaluate(network: nn.Module, data: Data, split: Split) -> Quality:
    """Quality of a torch network in eval mode; recalibrate it first if its weights came from a supernet. It visits the
    `processor` for that.

    On a CPU so many examples at once that what lies between layers stays in the caches: on CIFAR-10 networks 32 take
    0.3 to 0.5 times as long as 512.
    """
    network.eval()
    with torch.no_grad(), visiting(network) as here:
        times = 1 if here.type == "cpu" else GPU_TIMES
        batch = min(512 * times, max(16, times * POSITIONS // math.prod(split.x.shape[2:])))
        parts, turn = [], timed_batches(here)
        for start in range(0, len(split.y), batch):
            with turn():
                parts.append(network(data.normalise(split.x[start : start + batch]).to(here)).cpu())
    return quality_of(torch.cat(parts).float().numpy(), split.y.numpy())


def evaluate_file(path: Path, split: Split, name: str = "") -> Quality:
    """Quality of an exported file in its runtime, image by image: what the device will answer.

    name: of its format; nothing said, its suffix tells.
    """
    from compress.export import EXPORTERS
    from compress.export.formats import format_of

    answers = EXPORTERS.get(name or format_of(path)).answers
    return quality_of(answers(path, split.x.float().numpy()), split.y.numpy())


def accuracy_drop(before: Quality, after: Quality, seed: int = 0, resamples: int = 4000) -> tuple[float, float, float]:
    """(drop, low, high): accuracy lost in points and its 90 % interval, paired on the same images by bootstrap.

    `low` above a budget means that the budget is broken with 95 % confidence, `high` below it that it is kept.
    Raises ValueError if the two were not asked about equally many images.
    """
    if before.n != after.n:
        raise ValueError(f"paired qualities need the same images, got {before.n} and {after.n}.")
    lost = before.correct.astype(np.int8) - after.correct.astype(np.int8)
    counts = np.array([(lost == -1).sum(), (lost == 0).sum(), (lost == 1).sum()])
    drawn = np.random.default_rng(seed).multinomial(before.n, counts / before.n, size=resamples)
    drops = 100 * (drawn[:, 2] - drawn[:, 0]) / before.n
    low, high = np.percentile(drops, [5, 95])
    drop = 100 * float(lost.mean())
    return drop, min(drop, float(low)), max(drop, float(high))
