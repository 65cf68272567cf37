"""Training one stand-alone network: SGD with momentum, cosine schedule, clipping, and optionally a teacher."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from compress.augment import augment
from compress.devices.lock import shared
from compress.memory import keep_freed_memory
from compress.processor import finish, visiting
from compress.recalibrate import IMAGES, recalibrate
from compress.threads import timed_steps
from spaces.tasks import Data


class Batch(NamedTuple):
    """x: (N, C, H, W) or (N, C, L), normalised and augmented. y: (N,). rows: (N,), which training examples they are."""

    x: Tensor
    y: Tensor
    rows: Tensor

    def on(self, where: torch.device) -> "Batch":
        """The same batch on another processor."""
        return Batch(*(tensor.to(where) for tensor in self))


Loss = Callable[[Tensor, Batch], Tensor]  # (logits of the network in training, batch) -> scalar
Progress = Callable[[float, str], None]  # (fraction done, what is seen now)


class NonFiniteLoss(RuntimeError):
    """A loss became NaN or infinite; the message says at which step and what to lower."""


@dataclass(frozen=True)
class Training:
    """How to train. epochs and minutes both bound it, whichever comes first; minutes 0 means no bound. Only what is
    spent training counts, and not the waiting for who measures on the machine.

    lr: peak learning rate for `batch` images. clip: largest gradient norm. Without clipping, 1 of 12 digits networks
    collapsed; with it none of 32. smoothing: label smoothing.
    """

    epochs: int = 10
    minutes: float = 0.0
    batch: int = 64
    lr: float = 0.05
    weight_decay: float = 5e-4
    clip: float = 5.0
    smoothing: float = 0.0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "lr", "clip"):
            if getattr(self, name) <= 0:
                raise ValueError(f"`{name}` must be positive, got {getattr(self, name)}.")
        for name in ("minutes", "weight_decay"):
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` must not be negative, got {getattr(self, name)}.")
        if not 0 <= self.smoothing < 1:
            raise ValueError(f"`smoothing` must be in [0, 1), got {self.smoothing}. Write 0.1 for a little.")


def optimizer_for(parameters: dict[str, nn.Parameter], training: Training) -> torch.optim.SGD:
    """SGD with Nesterov momentum; no weight decay on vectors (biases, norms) and activation coefficients."""
    decayed = [p for name, p in parameters.items() if p.ndim > 1 and not name.endswith((".a", ".b"))]
    rest = [p for name, p in parameters.items() if p.ndim <= 1 or name.endswith((".a", ".b"))]
    groups = [{"params": decayed, "weight_decay": training.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=training.lr, momentum=0.9, nesterov=True)


def learning_rate(training: Training, done: float) -> float:
    """Cosine from the peak to 1 % of it over done in [0, 1], after a linear warm-up over the first 5 %."""
    warm = min(1.0, (done + 1e-3) / 0.05)
    return training.lr * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))


def batches(data: Data, batch: int, seed: int, epoch: int) -> Iterator[Batch]:
    """Shuffled, augmented, normalised batches (x, y); the same for the same (seed, epoch). The rest is left out."""
    generator = torch.Generator().manual_seed(seed * 100_003 + epoch)
    order = torch.randperm(len(data.train.y), generator=generator)
    size = min(batch, len(order))
    for start in range(0, len(order) - size + 1, size):
        rows = order[start : start + size]
        yield Batch(data.normalise(augment(data.train.x[rows], data, generator)), data.train.y[rows], rows)


def hard_labels(smoothing: float = 0.0) -> Loss:
    """Cross-entropy with the labels."""
    return lambda logits, batch: cross_entropy(logits, batch.y, label_smoothing=smoothing)


def fit(
    network: nn.Module,
    data: Data,
    training: Training,
    loss: Loss,
    seed: int,
    progress: Progress | None = None,
    before_step: Callable[[], None] | None = None,
    after_epoch: Callable[[int], None] | None = None,
    epochs_done: int = 0,
) -> float:
    """Train `network` in place, recalibrate its BatchNorm, leave it in eval mode; returns the seconds it took, without
    those in which others measured. It is trained on the `processor`, and `loss` is given what is there.

    before_step is called before every step and may raise to stop; a measurement that waits for the machine is let in
    between two steps. after_epoch gets the number of epochs done, to save what is there; a network of which
    `epochs_done` are done is trained on with the same batches and rates, but its momentum starts anew.
    Raises: NonFiniteLoss: at the first step whose loss is NaN or infinite.
    """
    keep_freed_memory()
    steps = max(1, len(data.train.y) // min(training.batch, len(data.train.y)))
    network.train()
    with shared("cpu") as let_measurers_in, visiting(network) as here, timed_steps(here) as step:
        parameters = dict(network.named_parameters())
        optimizer = optimizer_for(parameters, training)
        started = time.monotonic()
        for epoch in range(epochs_done, training.epochs):
            for index, batch in enumerate(batches(data, training.batch, seed, epoch)):
                done = progress_of(training, time.monotonic() - started, epoch + index / steps)
                if done >= 1:
                    break
                if before_step:
                    before_step()
                before = time.monotonic()
                let_measurers_in()
                started += time.monotonic() - before
                with step():
                    set_learning_rate(optimizer, learning_rate(training, done))
                    optimizer.zero_grad()
                    batch = batch.on(here)
                    value = loss(network(batch.x), batch)
                    check_finite(value, epoch * steps + index)
                    value.backward()
                    nn.utils.clip_grad_norm_(parameters.values(), training.clip)
                    optimizer.step()
                if progress and index % 8 == 0:
                    progress(done, f"loss {value.item():.3f}")
            if after_epoch:
                after_epoch(epoch + 1)
            if progress_of(training, time.monotonic() - started, epoch + 1) >= 1:
                break
        recalibrate(network, data.normalise(data.train.x[:IMAGES]))
        finish(here)
        took = time.monotonic() - started
    network.eval()
    return took


def progress_of(training: Training, used_s: float, epochs_done: float) -> float:
    """Fraction of the budget that is used: of the epochs or of the minutes, whichever is further."""
    by_epochs = epochs_done / training.epochs
    return max(by_epochs, used_s / (60 * training.minutes)) if training.minutes else by_epochs


def set_learning_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Give every parameter group this rate."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def check_finite(loss: Tensor, step: int) -> None:
    """Raises NonFiniteLoss if the loss is NaN or infinite."""
    if not torch.isfinite(loss):
        raise NonFiniteLoss(f"the loss became {loss.item()} at step {step}. Lower `lr` (try a third of it) or `clip`.")
