"""Training the shared weights: several architectures a step, their gradients added up.

Which ones is a rule's to say (`rules/`); here are the losses, the loop and its checkpoints. Source of the
alpha-divergence: Wang et al. 2021 (AlphaNet), arXiv:2102.07954.
"""

import io
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax

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
from search.supernet.rules import Rule, Step
from search.supernet.rules.sandwich import Sandwich
from search.supernet.shared_weights import Supernet
from spaces.architecture import Architecture
from spaces.tasks import Data

DIVERGENCES = ("kl", "alpha")
RATIO_MAX = 5.0  # what importance ratios of the alpha-divergence are cut to: without it its loss can become infinite


@dataclass(frozen=True)
class Sharing(Training):
    """How the shared weights are trained. rule: which architectures share a step.

    distill: with a rule whose first architecture teaches, the others learn its outputs; otherwise the labels.
    divergence: how their outputs are compared, `kl` or `alpha`, which also punishes what the student is too sure of.
    """

    rule: Rule = Sandwich()
    distill: bool = True
    divergence: str = "kl"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.divergence not in DIVERGENCES:
            raise ValueError(f"`divergence` must be one of {', '.join(DIVERGENCES)}, got {self.divergence!r}.")


def train_supernet(
    supernet: Supernet,
    data: Data,
    config: Sharing,
    seed: int,
    start: bytes | None = None,
    save: Callable[[int, bytes], None] | None = None,
    progress: Progress | None = None,
    before_step: Callable[[], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Train in place until the epochs or the minutes are used up.

    start: a checkpoint to go on from. save(epoch, checkpoint) is called after every epoch. before_step is called before
    every step and may raise to stop. clock: in seconds; what `minutes` are counted by, less the time in which others
    measured. Raises: NonFiniteLoss.
    """
    parameters = dict(supernet.store.named_parameters())
    optimizer = optimizer_for(parameters, config)
    first_epoch, used_s = _restore(supernet, optimizer, start) if start else (0, 0.0)
    steps = max(1, len(data.train.y) // min(config.batch, len(data.train.y)))
    supernet.train()
    with shared("cpu") as let_measurers_in:
        started = clock() - used_s
        for epoch in range(first_epoch, config.epochs):
            if progress_of(config, clock() - started, epoch) >= 1:
                break
            for index, batch in enumerate(batches(data, config.batch, seed, epoch)):
                done = progress_of(config, clock() - started, epoch + index / steps)
                if done >= 1:
                    break
                if before_step:
                    before_step()
                before = clock()
                let_measurers_in()
                started += clock() - before
                set_learning_rate(optimizer, learning_rate(config, done))
                optimizer.zero_grad()
                value = train_step(supernet, batch, config, seed, epoch * steps + index, done)
                nn.utils.clip_grad_norm_(parameters.values(), config.clip)
                optimizer.step()
                if progress:
                    progress(done, f"epoch {epoch + 1}/{config.epochs}  loss {value:.3f}")
            if save:
                save(epoch + 1, _checkpoint(supernet, optimizer, epoch + 1, clock() - started))
    supernet.eval()


def train_step(supernet: Supernet, batch: Batch, config: Sharing, seed: int, number: int, done: float) -> float:
    """Add up the gradients of the architectures that the rule draws for step `number`; returns the first one's loss."""
    tensors = supernet.tensors()

    def loss(arch: Architecture) -> float:
        with torch.no_grad():
            return cross_entropy(supernet(batch.x, arch, tensors), batch.y).item()

    archs = config.rule.members(Step(supernet.space, seed, number, done, loss))
    return learn(supernet, archs, batch, config, number)


def learn(supernet: Supernet, archs: list[Architecture], batch: Batch, config: Sharing, number: int) -> float:
    """Sum the gradients of all `archs`: the first learns the labels, the others its outputs or the labels too.

    Raises: NonFiniteLoss, which names the step.
    """
    tensors = supernet.tensors()
    logits = supernet(batch.x, archs[0], tensors)
    hard = cross_entropy(logits, batch.y, label_smoothing=config.smoothing)
    check_finite(hard, number)
    hard.backward()
    soft = logits.detach().softmax(1)
    compare = alpha_divergence if config.divergence == "alpha" else cross_entropy  # which is kl and a constant
    for arch in archs[1:]:
        outputs = supernet(batch.x, arch, tensors)
        is_taught = config.rule.teaches and config.distill
        loss = (
            compare(outputs, soft) if is_taught else cross_entropy(outputs, batch.y, label_smoothing=config.smoothing)
        )
        check_finite(loss, number)
        loss.backward()
    return hard.item()


def alpha_divergence(logits: Tensor, soft: Tensor) -> Tensor:
    """Mean over the batch of the larger of the alpha-divergences for alpha -1 and 1 (kl) from `soft` (N, classes).

    The value is the divergence with its importance ratios cut at RATIO_MAX. Its gradient flows through the student's
    log probabilities alone, weighed by the ratios, as in the source.
    """
    log_student = log_softmax(logits, 1)
    student = log_student.detach().exp()
    ratio = soft.clamp_min(1e-12) / student.clamp_min(1e-12)
    forward = (ratio.clamp_max(RATIO_MAX) * student).detach()  # alpha = 1: the ratio weighs the student's own
    backward = ((1 / ratio).clamp_max(RATIO_MAX) * student).detach()  # alpha = -1
    value_forward = (forward * ratio.log()).sum(1)
    value_backward = 0.5 * (backward.sum(1) - 1)
    surrogate = torch.where(
        value_forward >= value_backward, -(forward * log_student).sum(1), (backward * log_student).sum(1)
    )
    value = torch.maximum(value_forward, value_backward)
    return (surrogate - surrogate.detach() + value).mean()


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
