"""Differentiable relaxation with one hot path. Source: Dong and Yang 2019 (GDAS), arXiv:1910.04465.

Differs: choices are factors, one softmax for each decision of a position (its kind, its fields) and of a stage (its
depth), and not one over all combinations; widths are drawn evenly, since nothing lies beside a width that a gate could
weigh. A gate scales what a block changes and not its output, to whose scale a following normalisation is blind. Weights
and logits learn from the same batch; in the paper the logits from other examples. Paths that skip too much are
corrected (`paths.py`).
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from search.supernet import ranks
from search.supernet.rules import RULES
from search.supernet.rules.learned import check_learning, descend, logits
from search.supernet.rules.paths import Path, best_path
from search.supernet.rules.step import Step
from spaces.architecture import Architecture
from spaces.space import SearchSpace


@RULES.register("relaxed")
@dataclass(frozen=True)
class Relaxed:
    """One path a step, drawn by probabilities that learn which choices lower the loss: GDAS.

    logit_lr: step of the logits, as Adam's. hot, cold: temperature of the softmax in the first and in the last step.
    skips: largest share of the layers that could be skipped (by depth, or by a block without weights) that are.
    """

    logit_lr: float = 0.01
    hot: float = 5.0
    cold: float = 0.5
    skips: float = 0.5
    teaches: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_learning(self.logit_lr, self.hot, self.cold)
        if not 0 <= self.skips <= 1:
            raise ValueError(f"`skips` must be in [0, 1], got {self.skips}.")

    def members(self, step: Step) -> list[Architecture]:
        """The path of this step."""
        return [self._path(step).arch]

    def gates(self, step: Step) -> Sequence[Tensor]:
        """For each block, the sum over its decisions of p - p, which has the gradient of p: the probability of what was
        drawn, and for blocks that a lesser depth would leave out, that of being there."""
        path, leaves = self._path(step), dict[str, Tensor]()
        temperature, chances = self.hot + (self.cold - self.hot) * step.done, dict[str, Tensor]()
        for name, (_, options) in path.picks.items():
            if name not in path.undone:
                leaves[name] = logits(step.memory, name, len(options)).clone().requires_grad_()
                noise = torch.tensor(gumbel(step, name, len(options)))
                chances[name] = ((leaves[name] + noise) / temperature).softmax(0)
        step.memory["leaves"] = leaves
        gates = []
        for i, stage in enumerate(path.arch.stages):
            for j in range(len(stage.blocks)):
                parts = [_there(chances, path, f"stage{i}.depth", j), *_drawn(chances, path, f"stage{i}.block{j}")]
                gates.append(sum((part - part.detach() for part in parts if part is not None), torch.zeros(())))
        return gates

    def learn(self, step: Step) -> None:
        """A step of Adam on the logits whose gates came back with a gradient."""
        leaves: dict[str, Tensor] = step.memory.pop("leaves")
        ranks.average_gradients(leaves.values())
        for name, leaf in leaves.items():
            if leaf.grad is not None:
                descend(step.memory, name, leaf.grad, self.logit_lr)

    def _path(self, step: Step) -> Path:
        def scores(name: str, count: int) -> list[float]:
            known, noise = logits(step.memory, name, count).tolist(), gumbel(step, name, count)
            return [a + b for a, b in zip(known, noise, strict=True)]

        def even(name: str, options: tuple[Any, ...]) -> Any:
            return random.Random(f"{step.seed}/{step.number}/{name}").choice(options)

        return best_path(step.space, scores, even, self.skips)


def _drawn(chances: dict[str, Tensor], path: Path, position: str) -> list[Tensor]:
    """The probabilities of what was drawn for a position: its kind and that kind's fields."""
    own = [name for name in chances if name == position or name.startswith(f"{position}.")]
    return [chances[name][path.picks[name][0]] for name in own]


def _there(chances: dict[str, Tensor], path: Path, depth: str, position: int) -> Tensor | None:
    """The probability that the stage is deep enough for a position; None where it always is."""
    if depth not in chances:
        return None
    depths = path.picks[depth][1]
    return (
        chances[depth][[at for at, value in enumerate(depths) if value > position]].sum()
        if position >= min(depths)
        else None
    )


def gumbel(step: Step, name: str, count: int) -> list[float]:
    """Noise with which the largest of logits is a draw by their softmax; the same for the same step and decision."""
    rng = random.Random(f"{step.seed}/{step.number}/{name}")
    return [-math.log(-math.log(rng.uniform(1e-9, 1 - 1e-9))) for _ in range(count)]


def most_likely(rule: Relaxed, space: SearchSpace, memory: dict[str, Any]) -> Architecture:
    """The path of the largest logits, at the greatest widths."""
    known = {"logits": dict(memory.get("logits", {}))}
    return best_path(space, lambda n, c: logits(known, n, c).tolist(), lambda _, options: max(options), rule.skips).arch
