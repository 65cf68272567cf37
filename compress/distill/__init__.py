"""A student learns from a teacher: one file a loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from spaces.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

    from compress.distill.seen import Seen


class DistillLoss(Protocol):
    """A module that compares a student with a teacher: `make(student, teacher, temperature)`, from one example of each.

    Its parameters, projectors for example, are trained with the student and thrown away, but see Finishing.
    needs_features: whether `maps` and `embedding` of Seen are to be filled; without it the teacher may be asked once
    for all of unaugmented data.
    """

    needs_features: bool

    def __init__(self, student: Seen, teacher: Seen, temperature: float) -> None: ...

    def __call__(self, student: Seen, teacher: Seen, y: Tensor) -> Tensor:
        """A scalar >= 0, but for rounding, of the order of a cross-entropy. y: (N,) labels."""
        ...


@runtime_checkable
class Finishing(Protocol):
    """A loss of features that leaves the student something of what it learned: it has `finish` beside the rest."""

    def finish(self, weight: float) -> None:
        """Change the student's numbers in place, not its layers; called once, when training has ended. weight: the
        share that the loss had, in (0, 1]."""
        ...


LOSSES: Registry[type[DistillLoss]] = Registry("distillation loss", "lathe.distillation")

import compress.distill.attention  # noqa: E402  (these register themselves in LOSSES)
import compress.distill.attention_output  # noqa: E402
import compress.distill.cskd  # noqa: E402
import compress.distill.deit  # noqa: E402
import compress.distill.dkd  # noqa: E402
import compress.distill.hints  # noqa: E402
import compress.distill.logits  # noqa: E402
import compress.distill.nd  # noqa: E402
import compress.distill.ofa  # noqa: E402
import compress.distill.relations  # noqa: E402
import compress.distill.topk  # noqa: E402, F401
