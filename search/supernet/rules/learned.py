"""What a rule learned of each decision: logits in its memory, which go with the checkpoint, and Adam's step on them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

DECAYS, TINY = (0.9, 0.999), 1e-8  # Adam's


def check_learning(logit_lr: float, hot: float, cold: float) -> None:
    """Raises ValueError unless a rule can learn with this step of its logits and draw at these temperatures."""
    for name, value in (("logit_lr", logit_lr), ("cold", cold)):
        if value <= 0:
            raise ValueError(f"`{name}` must be positive, got {value}.")
    if hot < cold:
        raise ValueError(f"`hot` must be at least `cold` ({cold:g}), got {hot:g}.")


def logits(memory: dict[str, Any], name: str, count: int) -> Tensor:
    """What was learned of a decision's options; zeros at first."""
    return memory.setdefault("logits", {}).setdefault(name, torch.zeros(count))


def descend(memory: dict[str, Any], name: str, gradient: Tensor, lr: float) -> None:
    """A step of Adam on the logits of a decision; its moments count the steps of that decision alone."""
    count = len(gradient)
    moments = memory.setdefault("moments", {}).setdefault(name, torch.zeros(3, count))
    moments[0].lerp_(gradient, 1 - DECAYS[0])
    moments[1].lerp_(gradient**2, 1 - DECAYS[1])
    moments[2] += 1
    mean, square = (moments[k] / (1 - DECAYS[k] ** moments[2]) for k in (0, 1))
    memory["logits"][name] = logits(memory, name, count) - lr * mean / (square.sqrt() + TINY)
