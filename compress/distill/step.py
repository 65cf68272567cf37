"""Distillation as a step: train on with a teacher beside the labels."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from compress.context import Context
from compress.distill import LOSSES, DistillLoss, Finishing
from compress.distill import assistant as assistants  # the module: it imports compress.recipe, which imports this one
from compress.distill.seen import Seen, Watched
from compress.processor import processor, visiting
from compress.recipe import STEPS, StepError
from compress.train import Batch, Loss, Training, fit, hard_labels
from compress.variant import Variant
from spaces.tasks import Data


@STEPS.register("distill")
@dataclass(frozen=True)
class Distill:
    """Train on with what a teacher knows beside the labels; without a teacher, with the labels alone.

    loss: what of the teacher is learned. weight: of that loss, 0 to 1; the labels' cross-entropy has the rest.
    temperature: softens both outputs where the loss compares outputs; such a loss is scaled by its square, as in
    Hinton's paper, so that `weight` means the same at every temperature. assistant: `auto` lets a pruned copy of the
    teacher learn first and teach then, see assistant.py; epochs are of all of them together, at most a quarter of
    them the candidates'. Without a teacher there is none.
    """

    loss: str = "logits"
    epochs: int = 10
    lr: float = 0.02
    batch: int = 64
    temperature: float = 2.0
    weight: float = 0.7
    assistant: Literal["none", "auto"] = "none"

    @property
    def least_epochs(self) -> int:
        """Fewer leave none for an assistant."""
        return assistants.SHARE if self.assistant == "auto" else 1

    @property
    def asks_teacher(self) -> bool:
        """With the labels alone nobody is asked."""
        return self.weight > 0 or self.assistant == "auto"

    def __post_init__(self) -> None:
        if self.loss not in LOSSES.names():
            raise ValueError(f"`loss` must be one of {', '.join(LOSSES.names())}, got {self.loss!r}.")
        if self.assistant not in ("none", "auto"):
            raise ValueError(f"`assistant` must be none or auto, got {self.assistant!r}.")
        if self.epochs < self.least_epochs:
            shared = "" if self.least_epochs == 1 else " with `assistant: auto`, which has a quarter of them"
            raise ValueError(f"`epochs` must be at least {self.least_epochs}{shared}, got {self.epochs}.")
        if not 0 <= self.weight <= 1:
            raise ValueError(f"`weight` must be in [0, 1], got {self.weight}. Write 0.5 for half labels, half teacher.")
        for name in ("temperature", "lr", "batch"):
            if getattr(self, name) <= 0:
                raise ValueError(f"`{name}` must be positive, got {getattr(self, name)}.")

    def __call__(self, variant: Variant, context: Context) -> Variant:
        if variant.precision != "float32":
            raise StepError("distill trains float32 networks: put it before quantize in `compress.steps`.")
        network, epochs, assistant = copy.deepcopy(variant.network), self.epochs, None
        if self.assistant == "auto" and context.teacher is not None:
            assistant = assistants.find_assistant(variant.arch, context, epochs, self._teach)
            context, epochs = assistants.taught_by(assistant, context), epochs - assistant.epochs
        self._teach(network, context, epochs)
        return Variant(variant.arch, network, assistant=assistant)

    def _teach(self, network: nn.Module, context: Context, epochs: int) -> None:
        training = Training(epochs, batch=self.batch, lr=self.lr)
        train_with_teacher(network, context, training, self.temperature, self.weight, self.loss)


def train_with_teacher(
    network: nn.Module,
    context: Context,
    training: Training,
    temperature: float = 2.0,
    weight: float = 0.7,
    loss: str = "logits",
) -> float:
    """`fit` with the teacher of the context, or with labels alone where there is none or `weight` is 0; returns the
    seconds it took.

    Raises: StepError: if teacher and student cannot be compared.
    """
    rest = context.seed, context.progress, context.before_step
    if context.teacher is None or weight == 0:
        return fit(network, context.data, training, hard_labels(), *rest)
    make = LOSSES.get(loss)
    with visiting(network, context.teacher):
        if not make.needs_features:
            taught = answers_loss(make, context.teacher, context.data, temperature, weight)
            return fit(network, context.data, training, taught, *rest)
        lesson = _features(make, network, context, temperature, weight)
        try:
            seconds = fit(lesson, context.data, training, lesson.loss, *rest)
            lesson.finish()
            return seconds
        finally:
            lesson.close()


def answers_loss(make: type[DistillLoss], teacher: nn.Module, data: Data, temperature: float, weight: float) -> Loss:
    """weight times a loss of the teacher's logits + (1 - weight) cross-entropy with the labels."""
    answer = teacher_logits(teacher, data)
    compare: DistillLoss | None = None

    def loss(logits: Tensor, batch: Batch) -> Tensor:
        nonlocal compare
        student, taught = Seen(logits), Seen(answer(batch))
        if compare is None:
            check_classes(student, taught)
            compare = make(student, taught, temperature)
        return weight * compare(student, taught, batch.y) + (1 - weight) * cross_entropy(logits, batch.y)

    return loss


def teacher_logits(teacher: nn.Module, data: Data) -> Callable[[Batch], Tensor]:
    """The teacher's answers to a batch that is where the teacher is. Where images are not augmented, all are asked once
    and looked up after."""

    def ask(x: Tensor) -> Tensor:
        with torch.no_grad():
            return teacher(x)

    if data.is_augmented:
        return lambda batch: ask(batch.x)
    here = processor()  # where whoever teaches is while it is asked
    known = torch.cat([ask(data.normalise(part).to(here)) for part in data.train.x.split(256)])
    return lambda batch: known[batch.rows]


class Lesson(nn.Module):
    """A student and a teacher whose features are watched, and the loss between them; its parameters are trained too."""

    def __init__(self, student: Watched, teacher: Watched, compare: DistillLoss, weight: float) -> None:
        super().__init__()
        self.student, self.compare, self.weight = student, compare, weight
        self._teacher = (teacher,)  # in a tuple, so that it is no part of what is trained

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the student's logits (N, classes)."""
        return self.student(x)

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:
        """weight times the loss of features + (1 - weight) cross-entropy with the labels."""
        (teacher,) = self._teacher
        with torch.no_grad():
            taught = teacher.seen(teacher(batch.x))
        distance = self.compare(self.student.seen(logits), taught, batch.y)
        return self.weight * distance + (1 - self.weight) * cross_entropy(logits, batch.y)

    def finish(self) -> None:
        """Let the loss leave in the student what it has for it."""
        if isinstance(self.compare, Finishing):
            self.compare.finish(self.weight)

    def close(self) -> None:
        """Take the hooks off both networks."""
        for watched in (self.student, *self._teacher):
            watched.close()


def _features(
    make: type[DistillLoss], network: nn.Module, context: Context, temperature: float, weight: float
) -> Lesson:
    """Raises StepError if the features of the two networks cannot be compared."""
    assert context.teacher is not None
    x = context.data.normalise(context.data.train.x[:4]).to(processor())
    opened: list[Watched] = []
    try:
        for each in (network, context.teacher):
            opened.append(Watched(each, x))
        was_training = network.training
        with torch.no_grad():
            student, teacher = (watched.seen(watched.eval()(x)) for watched in opened)
        network.train(was_training)
        check_classes(student, teacher)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(context.seed)
            compare = make(student, teacher, temperature)
        return Lesson(opened[0], opened[1], compare, weight)
    except ValueError as error:
        for watched in opened:
            watched.close()
        raise error if isinstance(error, StepError) else StepError(str(error)) from error


def check_classes(student: Seen, teacher: Seen) -> None:
    """Raises StepError if the two networks do not tell equally many classes apart."""
    ours, theirs = student.logits.shape[1], teacher.logits.shape[1]
    if ours != theirs:
        raise StepError(f"the teacher tells {theirs} classes apart and the student {ours}. Train one on this data.")
