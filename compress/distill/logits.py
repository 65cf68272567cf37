"""Distillation of logits. Source: Hinton et al. 2015, arXiv:1503.02531."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from compress.context import Context
from compress.recipe import STEPS, StepError
from compress.train import Batch, Loss, Training, fit, hard_labels
from compress.variant import Variant
from spaces.tasks import Data


@STEPS.register("distill")
@dataclass(frozen=True)
class Distill:
    """Train on with a teacher's outputs beside the labels.

    loss: only `logits` so far. temperature: softens both outputs; the soft term is scaled by its square, as in the
    source, so that `weight` (of the soft term, 0 to 1) means the same at every temperature.
    """

    loss: str = "logits"
    epochs: int = 10
    lr: float = 0.02
    batch: int = 64
    temperature: float = 2.0
    weight: float = 0.7

    def __post_init__(self) -> None:
        if self.loss != "logits":
            raise ValueError(f"`loss` must be 'logits', got {self.loss!r}.")
        if self.epochs < 1:
            raise ValueError(f"`epochs` must be at least 1, got {self.epochs}.")
        if not 0 <= self.weight <= 1:
            raise ValueError(f"`weight` must be in [0, 1], got {self.weight}. Write 0.5 for half labels, half teacher.")
        for name in ("temperature", "lr", "batch"):
            if getattr(self, name) <= 0:
                raise ValueError(f"`{name}` must be positive, got {getattr(self, name)}.")

    def __call__(self, variant: Variant, context: Context) -> Variant:
        if variant.precision != "float32":
            raise StepError("distill trains float32 networks: put it before quantize in `compress.steps`.")
        network = copy.deepcopy(variant.network)
        train_with_teacher(
            network, context, Training(self.epochs, batch=self.batch, lr=self.lr), self.temperature, self.weight
        )
        return Variant(variant.arch, network)


def train_with_teacher(
    network: nn.Module, context: Context, training: Training, temperature: float = 2.0, weight: float = 0.7
) -> float:
    """`fit` with the teacher of the context, or with labels alone where there is none; returns the seconds it took."""
    loss = logits_loss(context.teacher, context.data, temperature, weight) if context.teacher else hard_labels()
    return fit(network, context.data, training, loss, context.seed, context.progress, context.before_step)


def logits_loss(teacher: nn.Module, data: Data, temperature: float, weight: float) -> Loss:
    """weight T^2 KL(teacher_T || student_T) + (1 - weight) cross-entropy with the labels."""
    answer = teacher_logits(teacher, data)

    def loss(logits: Tensor, batch: Batch) -> Tensor:
        soft = (answer(batch) / temperature).softmax(1)
        distance = kl_div(log_softmax(logits / temperature, 1), soft, reduction="batchmean")
        return weight * temperature**2 * distance + (1 - weight) * cross_entropy(logits, batch.y)

    return loss


def teacher_logits(teacher: nn.Module, data: Data) -> Callable[[Batch], Tensor]:
    """The teacher's answers to a batch. Where images are not augmented, all are asked once and looked up after."""

    def ask(x: Tensor) -> Tensor:
        with torch.no_grad():
            return teacher(x)

    if data.crop_pixels or data.flip:
        return lambda batch: ask(batch.x)
    known = torch.cat([ask(data.normalise(part)) for part in data.train.x.split(256)])
    return lambda batch: known[batch.rows]
