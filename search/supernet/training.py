"""Training the shared weights: several architectures a step, their gradients added up.

Which ones is a rule's to say (`rules/`), what is left of the space a `Cutting`'s; here is the loop.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from compress.devices.lock import shared
from compress.processor import visiting
from compress.threads import timed_steps
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
from search.supernet import ranks
from search.supernet.checkpoint import Course, checkpoint, restore
from search.supernet.cutting import Allows, Cutting, lesson
from search.supernet.losses import DIVERGENCES, divergence
from search.supernet.rules import Rule, Step
from search.supernet.rules.sandwich import Sandwich
from search.supernet.rules.step import Learner
from search.supernet.shared_weights import Supernet
from spaces.architecture import Architecture
from spaces.tasks import Data

LARGEST_LR = 100  # far above what trains anything: what is larger is a slip


@dataclass(frozen=True)
class Sharing(Training):
    """How the shared weights are trained. rule: which architectures share a step.

    distill: with a rule whose first architecture teaches, the others learn its outputs; otherwise the labels.
    divergence: how their outputs are compared, `kl` or `alpha`, which also punishes what the student is too sure of.
    split: the architectures of a step share its images, each with its own part, for the price of one. Source: Liao et
    al. 2021 (ViT-ResNAS), arXiv:2109.00642, who mask one largest network instead, at the price of that.
    cut: when options are taken from the space, and on what evidence; None: never.
    """

    rule: Rule = Sandwich()
    distill: bool = True
    divergence: str = "kl"
    split: bool = False
    cut: Cutting | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lr > LARGEST_LR:
            raise ValueError(f"`lr` must be at most {LARGEST_LR}, got {self.lr:g}. Write 0.05 to begin with.")
        if self.divergence not in DIVERGENCES:
            raise ValueError(f"`divergence` must be one of {', '.join(DIVERGENCES)}, got {self.divergence!r}.")
        if self.split and self.rule.teaches and self.distill:
            raise ValueError("`split` needs a rule whose architectures all learn the labels, or `distill: false`.")
        if self.cut and isinstance(self.rule, Learner):
            raise ValueError(
                "`cut` goes with rules that draw by chance: one that learns what to draw keeps its options."
            )


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
    allows: Allows = lambda space: True,
) -> Course:
    """Train in place until the epochs or the minutes are used up; returns where that ended.

    start: a checkpoint to go on from. save(epoch, checkpoint) is called after every epoch. before_step is called before
    every step and may raise to stop. clock: in seconds; what `minutes` are counted by, less the time in which others
    measured. allows(space) says whether something that meets the limits is left; `supernet.space` is in the end what
    was not cut. With torchrun (`ranks.py`) only rank 0 saves, tells and stops. Raises: NonFiniteLoss.
    """
    steps = max(1, len(data.train.y) // min(config.batch, len(data.train.y)))
    supernet.train()
    with _machine() as let_measurers_in, visiting(supernet) as here, timed_steps(here) as step:
        parameters = dict(supernet.store.named_parameters())
        optimizer = optimizer_for(parameters, config)
        course = restore(supernet, optimizer, start) if start else Course()
        started = clock() - course.used_s

        def before() -> None:
            nonlocal started
            if before_step:
                before_step()
            waiting_since = clock()
            let_measurers_in()
            started += clock() - waiting_since

        for epoch in range(course.epoch, config.epochs):
            done = ranks.agreed(progress_of(config, clock() - started, epoch))
            if done >= 1:
                break
            examples = lesson(supernet, data, config.cut, course.cuts, done, seed, allows) if config.cut else data
            share = 1 / max(1, len(examples.train.y) // min(config.batch, len(examples.train.y)))
            for index, batch in enumerate(batches(examples, config.batch, seed, epoch)):
                done = ranks.agreed(progress_of(config, clock() - started, epoch + index * share), before)
                if done >= 1 or (config.cut and config.cut.phase(done) > course.cuts.phase):
                    break
                with step():
                    set_learning_rate(optimizer, learning_rate(config, done))
                    optimizer.zero_grad()
                    value = train_step(
                        supernet, ranks.part(batch).on(here), config, seed, epoch * steps + index, done, course.memory
                    )
                    ranks.average_gradients(parameters.values())
                    nn.utils.clip_grad_norm_(parameters.values(), config.clip)
                    optimizer.step()
                if progress:
                    progress(done, f"epoch {epoch + 1}/{config.epochs}  loss {value:.3f}")
            course.epoch, course.used_s = epoch + 1, clock() - started
            if save:
                save(epoch + 1, checkpoint(supernet, optimizer, course))
    supernet.eval()
    return course


@contextmanager
def _machine() -> Iterator[Callable[[], None]]:
    """The machine, together with other trainings. Rank 0 holds it for all: waiting for each other and for a measurer
    at once would be for ever."""
    if ranks.rank() > 0:
        yield lambda: None
        return
    with shared("cpu") as let_measurers_in:
        yield let_measurers_in


def train_step(
    supernet: Supernet,
    batch: Batch,
    config: Sharing,
    seed: int,
    number: int,
    done: float,
    memory: dict[str, Any] | None = None,
) -> float:
    """Add up the gradients of the architectures that the rule draws for step `number`; returns the first one's loss.

    memory: the rule's own, from step to step.
    """
    tensors, rule = supernet.tensors(), config.rule

    def loss(arch: Architecture) -> float:
        with torch.no_grad():
            return ranks.average(cross_entropy(supernet(batch.x, arch, tensors), batch.y).item())

    step = Step(supernet.space, seed, number, done, loss, {} if memory is None else memory)
    archs = rule.members(step)
    if not isinstance(rule, Learner):
        return learn(supernet, archs, batch, config, number)
    gates = [gate.to(batch.x.device) for gate in rule.gates(step)]
    value = learn(supernet, archs, batch, config, number, gates)
    rule.learn(step)
    return value


def learn(
    supernet: Supernet,
    archs: list[Architecture],
    batch: Batch,
    config: Sharing,
    number: int,
    gates: Sequence[Tensor] = (),
) -> float:
    """Sum the gradients of all `archs`: the first learns the labels, the others its outputs or the labels too.

    gates: of the first one's blocks. Raises: NonFiniteLoss, which names the step.
    """
    tensors = supernet.tensors()
    if config.split:
        return _learn_parts(supernet, archs, batch, config, number)
    logits = supernet(batch.x, archs[0], tensors, gates)
    hard = cross_entropy(logits, batch.y, label_smoothing=config.smoothing)
    check_finite(hard, number)
    hard.backward()
    soft = logits.detach().softmax(1)
    for arch in archs[1:]:
        outputs = supernet(batch.x, arch, tensors)
        is_taught = config.rule.teaches and config.distill
        loss = (
            divergence(config.divergence, outputs, soft)
            if is_taught
            else cross_entropy(outputs, batch.y, label_smoothing=config.smoothing)
        )
        check_finite(loss, number)
        loss.backward()
    return hard.item()


def _learn_parts(supernet: Supernet, archs: list[Architecture], batch: Batch, config: Sharing, number: int) -> float:
    """The gradient of the mean loss over the batch, each architecture with its own part of two images or more."""
    tensors, parts = supernet.tensors(), min(len(archs), max(1, len(batch.y) // 2))
    total = 0.0
    for arch, x, y in zip(archs, batch.x.tensor_split(parts), batch.y.tensor_split(parts), strict=False):
        loss = cross_entropy(supernet(x, arch, tensors), y, label_smoothing=config.smoothing) * len(y) / len(batch.y)
        check_finite(loss, number)
        loss.backward()
        total += loss.item()
    return total
