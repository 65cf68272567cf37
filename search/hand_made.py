"""The network an engineer writes without a search: a baseline, and the reference of all measurements."""

import math
from collections.abc import Callable
from typing import Any

from spaces.architecture import Architecture
from spaces.space import SearchSpace, decide

LEVELS = (0.5, 0.4, 0.3, 0.2, 0.1, 0.0)


def hand_made(space: SearchSpace, is_feasible: Callable[[Architecture], bool] = lambda _: True) -> Architecture:
    """What an engineer writes without a search: the first kind of block everywhere, every choice in the middle of its
    range, and the whole scaled down until it meets the exact limits (or is the smallest there is)."""
    arch = uniform(space, LEVELS[0], LEVELS[0], LEVELS[0])
    for level in LEVELS[1:]:
        if is_feasible(arch):
            break
        arch = uniform(space, level, level, level)
    return arch


def scaled_by_hand(space: SearchSpace) -> tuple[Architecture, ...]:
    """The hand-made network at five sizes, smallest to largest: where a search starts, so that it never has to find out
    what an engineer would have written first."""
    sizes = ((0.0, 0.0, 0.0), (0.5, 0.0, 0.5), (0.5, 0.5, 0.5), (1.0, 0.5, 0.5), (1.0, 1.0, 1.0))
    found = {arch.id: arch for arch in (uniform(space, *size) for size in sizes)}
    return tuple(found.values())


def uniform(space: SearchSpace, width: float, depth: float, rest: float) -> Architecture:
    """The architecture with every width, every depth and every other ordered choice at one relative level each.

    0 is the least of the options and 1 the most; halfway between two options is the lesser.
    """

    def pick(name: str, options: tuple[Any, ...]) -> Any:
        if isinstance(options[0], str) or (".block" in name and name.count(".") == 1):
            return options[0]
        level = width if name.endswith(".width") else depth if name.endswith(".depth") else rest
        return sorted(options)[math.ceil(level * (len(options) - 1) - 0.5)]

    return decide(space, pick)
