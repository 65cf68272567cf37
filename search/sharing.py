"""Training the shared weights: the sandwich rule with in-place distillation.

Source: Yu and Huang 2019, arXiv:1903.05134; Yu et al. 2020 (BigNAS), arXiv:2003.11142. Differs: "the largest" needs a
kind of block at every position, so each step draws an assignment of kinds, whose largest network is the step's teacher.
"""

import io
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from compress.devices.lock import shared
from compress.train import (
    Batch,
    Progress,
    Training,
    batches,
    check_finite,
    learning_rate,
    optimizer_for,
    progress_of,
    set_learning_rate,
)
from search.supernet import Supernet
from spaces.architecture import Architecture
from spaces.space import SearchSpace, largest, sample, smallest
from spaces.tasks import Data


@dataclass(frozen=True)
class Sharing(Training):
    """How the shared weights are trained. between: random architectures a step beside the largest and the smallest.

    distill: the others learn the largest one's outputs; otherwise the labels. minutes bounds it as epochs do.
    """

    rule: str = "sandwich"
    between: int = 1
    distill: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rule != "sandwich":
            raise ValueError(f"`rule` must be 'sandwich', got {self.rule!r}.")
        if self.between < 0:
            raise ValueError(f"`between` must not be negative, got {self.between}.")


def architectures_of(space: SearchSpace, seed: int, step: int, between: int) -> list[Architecture]:
    """The step's architectures, largest first and smallest last: a function of (seed, step), the same on every rank."""
    rng = random.Random(f"{seed}/{step}")
    return [largest(space, rng), *(sample(space, rng) for _ in range(between)), smallest(space, rng)]


def train_supernet(
    supernet: Supernet,
    data: Data,
    config: Sharing,
    seed: int,
    start: bytes | None = None,
    save: Callable[[int, bytes], None] | None = None,
    progress: Progress | None = None,
    before_step: Callable[[], None] | None = None,
) -> None:
    """Train in place until the epochs or the minutes are used up.

    start: a checkpoint to go on from. save(epoch, checkpoint) is called after every epoch. before_step is called before
    every step: it may raise to stop, or wait for the device. Raises: NonFiniteLoss.
    """
    parameters = dict(supernet.store.named_parameters())
    optimizer = optimizer_for(parameters, config)
    first_epoch, used_s = _restore(supernet, optimizer, start) if start else (0, 0.0)
    started = time.monotonic() - used_s
    steps = max(1, len(data.train.y) // min(config.batch, len(data.train.y)))
    supernet.train()
    with shared("cpu") as let_measurers_in:
        for epoch in range(first_epoch, config.epochs):
            if progress_of(config, started, epoch) >= 1:
                break
            for index, batch in enumerate(batches(data, config.batch, seed, epoch)):
                done = progress_of(config, started, epoch + index / steps)
                if done >= 1:
                    break
                if before_step:
                    before_step()
                let_measurers_in()
                set_learning_rate(optimizer, learning_rate(config, done))
                optimizer.zero_grad()
                step = epoch * steps + index
                archs = architectures_of(supernet.space, seed, step, config.between)
                value = sandwich_step(supernet, archs, batch, config, step)
                nn.utils.clip_grad_norm_(parameters.values(), config.clip)
                optimizer.step()
                if progress:
                    progress(done, f"epoch {epoch + 1}/{config.epochs}  loss {value:.3f}")
            if save:
                save(epoch + 1, _checkpoint(supernet, optimizer, epoch + 1, time.monotonic() - started))
    supernet.eval()


def sandwich_step(supernet: Supernet, archs: list[Architecture], batch: Batch, config: Sharing, step: int) -> float:
    """Sum the gradients of all `archs`: the first learns the labels, the others its outputs. Returns its loss."""
    tensors = supernet.tensors()
    logits = supernet(batch.x, archs[0], tensors)
    hard = cross_entropy(logits, batch.y, label_smoothing=config.smoothing)
    check_finite(hard, step)
    hard.backward()
    soft = logits.detach().softmax(1)
    for arch in archs[1:]:
        outputs = supernet(batch.x, arch, tensors)
        loss = cross_entropy(outputs, soft if config.distill else batch.y)
        check_finite(loss, step)
        loss.backward()
    return hard.item()


def _checkpoint(supernet: Supernet, optimizer: torch.optim.Optimizer, epoch: int, used_s: float) -> bytes:
    buffer = io.BytesIO()
    torch.save(
        {"store": supernet.store.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch, "used_s": used_s},
        buffer,
    )
    return buffer.getvalue()


def _restore(supernet: Supernet, optimizer: torch.optim.Optimizer, checkpoint: bytes) -> tuple[int, float]:
    state = torch.load(io.BytesIO(checkpoint), weights_only=True)
    supernet.store.load_state_dict(state["store"])
    optimizer.load_state_dict(state["optimizer"])
    return state["epoch"], state["used_s"]


def load_weights(supernet: Supernet, checkpoint: bytes) -> None:
    """The trained weights of a checkpoint that `train_supernet` saved, and eval mode."""
    supernet.store.load_state_dict(torch.load(io.BytesIO(checkpoint), weights_only=True)["store"])
    supernet.eval()
