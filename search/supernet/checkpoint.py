"""A training of shared weights as bytes: what goes on where it stopped, and what is searched when it is done."""

import io
from dataclasses import dataclass, field
from typing import Any

import torch

from compress.processor import at_home
from search.supernet.cutting import Cuts
from search.supernet.shared_weights import Supernet


@dataclass
class Course:
    """Where a training stands, beside the weights. memory: the rule's own; cuts: what was taken from the space."""

    epoch: int = 0
    used_s: float = 0.0
    memory: dict[str, Any] = field(default_factory=dict)
    cuts: Cuts = field(default_factory=Cuts)


def checkpoint(supernet: Supernet, optimizer: torch.optim.Optimizer, course: Course) -> bytes:
    """All of it: weights, momentum and course."""
    buffer = io.BytesIO()
    state = {
        "store": at_home(supernet.store.state_dict()),
        "optimizer": at_home(optimizer.state_dict()),
        "epoch": course.epoch,
        "used_s": course.used_s,
        "memory": course.memory,
        "cuts": course.cuts.to_tree(),
    }
    torch.save(state, buffer)
    return buffer.getvalue()


def restore(supernet: Supernet, optimizer: torch.optim.Optimizer, data: bytes) -> Course:
    """Weights and momentum in place, and the course."""
    state = _read(data)
    supernet.store.load_state_dict(state["store"])
    optimizer.load_state_dict(state["optimizer"])
    course = Course(state["epoch"], state["used_s"], state.get("memory", {}), Cuts.from_tree(state.get("cuts")))
    supernet.space = course.cuts.applied(supernet.space)
    return course


def load_weights(supernet: Supernet, data: bytes) -> None:
    """The trained weights of a checkpoint, the space that is left, and eval mode."""
    state = _read(data)
    supernet.store.load_state_dict(state["store"])
    supernet.space = Cuts.from_tree(state.get("cuts")).applied(supernet.space)
    supernet.eval()


def course_of(data: bytes) -> Course:
    """The course alone."""
    state = _read(data)
    return Course(state["epoch"], state["used_s"], state.get("memory", {}), Cuts.from_tree(state.get("cuts")))


def _read(data: bytes) -> dict[str, Any]:
    return torch.load(io.BytesIO(data), weights_only=True)
