"""The processor that trains and evaluates: the CPU, or a GPU that PyTorch sees.

Networks live in main memory, where they are cut, pruned, exported and saved. To be trained or evaluated they visit the
processor, and come back. `LATHE_PROCESSOR` says which one: `cpu`, `cuda`, `cuda:1`, or `auto`, the default: a GPU where
there is one. Files are still measured where the study's devices say.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from compress.threads import settled

VARIABLE = "LATHE_PROCESSOR"


class NoProcessor(ValueError):
    """`LATHE_PROCESSOR` names none that PyTorch can use; the message says what to write."""


def processor() -> torch.device:
    """Where to train. Under torchrun every process has a GPU of its own. Raises: NoProcessor."""
    wanted = os.environ.get(VARIABLE) or "auto"
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        found = torch.device(wanted)
    except RuntimeError as error:
        raise NoProcessor(f"{VARIABLE} must be auto, cpu, cuda or cuda:N, got {wanted!r}.") from error
    if found.type == "cuda":
        return _gpu(found)
    return found if found.type == "cpu" else _tried(found)


def _gpu(found: torch.device) -> torch.device:
    """The GPU of that number, or of this process's place among those of torchrun. Raises: NoProcessor."""
    if not torch.cuda.is_available():
        raise NoProcessor(
            f"{VARIABLE} is {found}, and PyTorch {torch.__version__} finds no GPU. Write cpu, or install a build with "
            "CUDA and a driver that it knows; `search doctor` says what it finds."
        )
    count = torch.cuda.device_count()
    index = int(os.environ.get("LOCAL_RANK", "0")) % count if found.index is None else found.index
    if index >= count:
        raise NoProcessor(f"{VARIABLE} is {found}, and there are {count} GPUs. Write cuda:{count - 1} or less.")
    return torch.device("cuda", index)


@cache
def _tried(found: torch.device) -> torch.device:
    """A processor of another kind, if a number gets there and back. Raises: NoProcessor."""
    try:
        torch.ones(1).to(found).cpu()
    except (RuntimeError, AssertionError) as error:  # AssertionError: of a build that does not have it
        raise NoProcessor(
            f"{VARIABLE} is {found}, and PyTorch {torch.__version__} cannot use it. Write auto, cpu, cuda or cuda:N."
        ) from error
    return found


def described(where: torch.device) -> str:
    """For people: `cpu`, `cuda:0 (NVIDIA H200)`."""
    return f"{where} ({torch.cuda.get_device_name(where)})" if where.type == "cuda" else str(where)


@contextmanager
def visiting(*networks: nn.Module) -> Iterator[torch.device]:
    """The networks are on the processor while inside, and back where each came from after, whatever happens.

    What they are given has to go there as well; nothing is copied where they are there already. On a CPU PyTorch
    computes with the threads that paid in the last training.
    """
    here = processor()
    homes = [home_of(network) for network in networks]
    try:
        for network in networks:
            network.to(here)
        with settled() if here.type == "cpu" else nullcontext():
            yield here
    finally:
        for network, home in zip(networks, homes, strict=True):
            network.to(home)


def home_of(network: nn.Module) -> torch.device:
    """Where a network's tensors are; main memory for one that has none."""
    tensors: Iterator[Tensor] = chain(network.parameters(), network.buffers())
    return next((tensor.device for tensor in tensors), torch.device("cpu"))


def at_home(state: Any) -> Any:
    """A state dictionary with its tensors in main memory, to be read again on a machine without this processor."""
    if isinstance(state, Tensor):
        return state.cpu()
    if isinstance(state, dict):
        return {key: at_home(value) for key, value in state.items()}
    return [at_home(value) for value in state] if isinstance(state, list) else state


def finish(where: torch.device) -> None:
    """Wait until a GPU has done what it was told, before a clock is read."""
    if where.type == "cuda":
        torch.cuda.synchronize(where)
