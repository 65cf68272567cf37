"""What a rule is asked, and what it answers."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

from spaces.architecture import Architecture
from spaces.space import SearchSpace


@dataclass(frozen=True)
class Step:
    """A training step. number: from 0. done: the share of the training's budget that is used, in [0, 1].

    loss(arch): of the labels on the step's batch, without gradients; costs a forward of that architecture.
    """

    space: SearchSpace
    seed: int
    number: int
    done: float
    loss: Callable[[Architecture], float]

    def rng(self) -> random.Random:
        """Random numbers of this step: the same for the same (seed, number)."""
        return random.Random(f"{self.seed}/{self.number}")


class Rule(Protocol):
    """A way to train shared weights."""

    teaches: ClassVar[bool]  # the others may learn the first one's outputs; otherwise all learn the labels

    def members(self, step: Step) -> list[Architecture]:
        """The architectures of a step, at least one. Their gradients are added up; the first learns the labels."""
        ...
