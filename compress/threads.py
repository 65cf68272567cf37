"""How many threads PyTorch computes with on a CPU: found by timing steps of trainings and batches of evaluations.

Left alone, PyTorch takes as many threads as there are cores. At every operator they wait for each other: on small
networks, and beside other processes, two threads are slower than one (`python studies/benchmarks/threads.py`).
`OMP_NUM_THREADS`, where it is set, decides alone; sums are then added in the same order in every run.
"""

import os
import statistics
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache

import torch

VARIABLE = "OMP_NUM_THREADS"
TURNS = 4  # that count of each of two, after one in which threads start; steps of a supernet differ by 2 or 3 times
REST_S = 20.0  # until the machine is asked again: other processes come and go
WORTH = 0.95  # of the time with fewer threads is what more of them must beat; others may use the core

Timed = Callable[[], AbstractContextManager[None]]


@dataclass
class Threads:
    """As many as paid."""

    count: int = 1


_paid = Threads()  # in the last training of this process


@contextmanager
def settled() -> Iterator[None]:
    """PyTorch computes with as many threads as paid in the last training, and with as many as before when left."""
    if os.environ.get(VARIABLE):
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(min(_paid.count, available()))
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def timed_steps(where: torch.device) -> Iterator[Timed]:
    """What to put around each step of a training, `with step(): ...`, to be inside `settled`."""
    if is_decided(where):
        yield nullcontext
        return
    try:
        yield timed(_paid)
    finally:
        torch.set_num_threads(min(_paid.count, available()))


def timed_batches(where: torch.device) -> Timed:
    """What to put around each batch that is evaluated, inside `settled`. Evaluations are many and short, so they go on
    asking where the last one stopped."""
    return nullcontext if is_decided(where) else _evaluations()


@cache
def _evaluations() -> Timed:
    return timed(Threads())


def is_decided(where: torch.device) -> bool:
    """There is nothing to choose."""
    return where.type != "cpu" or available() == 1 or bool(os.environ.get(VARIABLE))


def timed(paid: Threads) -> Timed:
    """Computes what is inside with the threads whose turn it is, and takes its time."""
    trial = tried(paid, available())
    count = next(trial)

    @contextmanager
    def turn() -> Iterator[None]:
        nonlocal count
        torch.set_num_threads(count)
        began = time.perf_counter()
        yield
        count = trial.send(time.perf_counter() - began)

    return turn


def settle(work: Callable[[int], object], where: torch.device, most_s: float = 5.0) -> None:
    """Find the threads that pay for `work`, which is told how often it was done before, in at most so many seconds."""
    with timed_steps(where) as step:
        steps = 0 if step is nullcontext else 2 * (1 + TURNS) * (available().bit_length() - 1)  # up to all, by doubling
        began, number = time.monotonic(), 0
        while number < steps and time.monotonic() - began < most_s:
            with step():
                work(number)
            number += 1


def tried(paid: Threads, most: int) -> Generator[int, float, None]:
    """The threads for each step, up to `most`, told in return how many seconds it took; `paid` is what won so far.

    That is compared with twice as many, taking turns, and with half as many where more do not pay; one that wins is
    followed in its direction. What is left is kept for `REST_S`, and then compared again.
    """
    while True:
        for further in (doubled, halved):
            began_with = paid.count
            while (rival := further(paid.count, most)) != paid.count and (yield from is_faster(rival, paid.count)):
                paid.count = rival
            if paid.count != began_with:
                break
        rested_s = 0.0
        while rested_s < REST_S:
            rested_s += yield paid.count


def is_faster(rival: int, count: int) -> Generator[int, float, bool]:
    """Steps with one and the other in turn; whether the rival's are worth it, by their medians."""
    mine, its = [], []
    for _ in range(1 + TURNS):
        mine.append((yield count))
        its.append((yield rival))
    ratio = statistics.median(its[1:]) / statistics.median(mine[1:])
    return ratio < WORTH if rival > count else ratio * WORTH < 1


def doubled(count: int, most: int) -> int:
    """Twice as many, if there are."""
    return min(2 * count, most)


def halved(count: int, most: int) -> int:
    """Half as many, at least one."""
    return max(1, count // 2)


@cache
def available() -> int:
    """As many as PyTorch would take: cores that this process may use, or what the program has set."""
    return torch.get_num_threads()
