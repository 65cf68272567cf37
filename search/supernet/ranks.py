"""One training on several processes that torchrun started: each learns its part of every batch, all keep equal weights.

The gradients of the store are averaged by hand once a step: a step has several backwards and leaves most weights
without a gradient, which torch's DistributedDataParallel does not take. Rank 0 decides whatever depends on a clock, on
the user or on rounding; it alone makes way for measurers, and the others wait for it at the start of each step. Batch
statistics are those of a rank's part, as usual. Without torchrun everything here is for one process and costs nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from compress.train import Batch

PATIENCE = timedelta(days=30)  # the others wait for as long as rank 0 searches


class Stopped(RuntimeError):
    """Rank 0 left in the middle of a training."""


@contextmanager
def together() -> Iterator[None]:
    """Join the group that torchrun describes in the environment; nothing where there is none. Whatever ends rank 0's
    part tells the others, who wait in `told`: they get None."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or dist.is_initialized():
        yield
        return
    dist.init_process_group("gloo", timeout=PATIENCE)
    try:
        yield
    finally:
        if rank() == 0:
            told(None)
        dist.destroy_process_group()


def rank() -> int:
    """Of this process; 0 alone writes and shows."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """How many processes train."""
    return dist.get_world_size() if dist.is_initialized() else 1


def told(value: Any) -> Any:
    """What rank 0 gives, on every rank."""
    if world() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def agreed(done: float, before: Callable[[], None] | None = None) -> float:
    """Rank 0's share of the training that is done, after its `before`, which may raise. Raises: Stopped: on the others,
    when rank 0 has left."""
    if before and rank() == 0:
        before()
    shared = told(done)
    if shared is None:
        raise Stopped("rank 0 left the training.")
    return shared


def part(batch: Batch) -> Batch:
    """This rank's part of a batch, which every rank has drawn alike. Raises: ValueError: if it cannot be divided."""
    if world() == 1:
        return batch
    if len(batch.y) % world():
        raise ValueError(
            f"`batch` must be a multiple of the {world()} processes, got {len(batch.y)} images. "
            f"Set supernet.batch to {world() * max(1, len(batch.y) // world())}."
        )
    return Batch(*(tensor.chunk(world())[rank()] for tensor in batch))


def average(value: float) -> float:
    """The mean of a number over the ranks."""
    if world() == 1:
        return value
    box = torch.tensor([value], dtype=torch.float64)
    dist.all_reduce(box)
    return box.item() / world()


def average_gradients(parameters: Iterable[nn.Parameter | Tensor]) -> None:
    """Replace every gradient by the mean over the ranks, in one exchange. All ranks have the same ones."""
    if world() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not gradients:
        return
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients]).cpu()  # gloo exchanges what is in main memory
    dist.all_reduce(flat)
    flat /= world()
    at = 0
    for gradient in gradients:
        gradient.copy_(flat[at : at + gradient.numel()].view(gradient.shape))
        at += gradient.numel()
