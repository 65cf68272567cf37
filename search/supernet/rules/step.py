"""What a rule is asked, and what it answers."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

from torch import Tensor

from spaces.architecture import Architecture
from spaces.space import SearchSpace


@dataclass(frozen=True)
class Step:
    """A training step. number: from 0. done: the share of the training's budget that is used, in [0, 1].

    loss(arch): of the labels on the step's batch, without gradients; costs a forward of that architecture. memory: what
    the rule wrote there in earlier steps, saved with the weights: tensors, numbers, text, and lists and dictionaries of
    them.
    """

    space: SearchSpace
    seed: int
    number: int
    done: float
    loss: Callable[[Architecture], float]
    memory: dict[str, Any] = field(default_factory=dict)

    def rng(self) -> random.Random:
        """Random numbers of this step: the same for the same (seed, number)."""
        return random.Random(f"{self.seed}/{self.number}")


class Rule(Protocol):
    """A way to train shared weights."""

    teaches: ClassVar[bool]  # the others may learn the first one's outputs; otherwise all learn the labels

    def members(self, step: Step) -> list[Architecture]:
        """The architectures of a step, at least one. Their gradients are added up; the first learns the labels."""
        ...


@runtime_checkable
class Learner(Rule, Protocol):
    """A rule that learns what to draw, from how the loss of its first member would change with what was drawn."""

    def gates(self, step: Step) -> Sequence[Tensor]:
        """For each block of that member a 0, or a (width, 1, 1) of zeros, one for each channel: what the block changes
        is scaled by 1 + gate, and gradients come back."""
        ...

    def learn(self, step: Step) -> None:
        """Use the gradients that came back."""
        ...
