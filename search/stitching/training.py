"""Training a stitched space: one member a step, drawn at random, taught by the large network as it was.

Source: Pan et al. 2023, arXiv:2302.06586, section 3.3, whose teacher is a network from elsewhere.
"""

import copy
import io
import random
from collections.abc import Callable

import torch
from torch import Tensor, nn

from compress.distill import LOSSES
from compress.distill.step import answers_loss
from compress.processor import at_home, visiting
from compress.train import Progress, Training, fit
from search.stitching.weights import Stitched
from spaces.stitch import LARGE
from spaces.tasks import Data

TEMPERATURE, WEIGHT = 2.0, 0.5  # of the teacher; the labels have the rest


class Walk(nn.Module):
    """A stitched space in training: every call is the next step, and runs the member that is drawn for it."""

    def __init__(self, stitched: Stitched, seed: int, step: int) -> None:
        super().__init__()
        self.stitched, self.seed, self.step = stitched, seed, step

    def forward(self, x: Tensor) -> Tensor:
        """(N, *input_shape) -> logits (N, classes) of one member."""
        members = list(self.stitched.space.members.values())
        drawn = random.Random(f"{self.seed}/stitch/{self.step}").choice(members)
        self.step += 1
        return self.stitched(x, drawn.arch)


def train_stitched(
    stitched: Stitched,
    data: Data,
    training: Training,
    seed: int,
    start: bytes | None = None,
    save: Callable[[int, bytes], None] | None = None,
    progress: Progress | None = None,
    before_step: Callable[[], None] | None = None,
) -> None:
    """Train in place, from a checkpoint on where there is one.

    save(epoch, checkpoint) is called after every epoch. before_step may raise to stop. Raises: NonFiniteLoss.
    """
    teacher = copy.deepcopy(stitched.store[LARGE]).eval()
    epochs_done = restore(stitched, start) if start else 0
    if epochs_done >= training.epochs:
        return
    steps = max(1, len(data.train.y) // min(training.batch, len(data.train.y)))

    def after_epoch(epoch: int) -> None:
        if save:
            save(epoch, checkpoint(stitched, epoch))

    walk = Walk(stitched, seed, epochs_done * steps)
    with visiting(teacher):
        loss = answers_loss(LOSSES.get("logits"), teacher, data, TEMPERATURE, WEIGHT)
        fit(walk, data, training, loss, seed, progress, before_step, after_epoch, epochs_done)


def checkpoint(stitched: Stitched, epoch: int) -> bytes:
    """The weights after so many epochs."""
    buffer = io.BytesIO()
    torch.save({"store": at_home(stitched.store.state_dict()), "epoch": epoch}, buffer)
    return buffer.getvalue()


def restore(stitched: Stitched, data: bytes) -> int:
    """The weights in place, and in eval mode; returns how many epochs they have been trained."""
    state = torch.load(io.BytesIO(data), weights_only=True)
    stitched.store.load_state_dict(state["store"])
    stitched.eval()
    return int(state["epoch"])
