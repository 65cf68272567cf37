"""The network an engineer writes without a search: a baseline, and the reference of all measurements."""

from collections.abc import Callable
from typing import Any

from spaces.architecture import Architecture
from spaces.space import SearchSpace, decide

LEVELS = (0.5, 0.4, 0.3, 0.2, 0.1, 0.0)


def hand_made(space: SearchSpace, is_feasible: Callable[[Architecture], bool] = lambda _: True) -> Architecture:
    """What an engineer writes without a search: the first kind of block everywhere, every choice in the middle of its
    range, and the whole scaled down until it meets the exact limits (or is the smallest there is)."""
    arch = uniform(space, LEVELS[0])
    for level in LEVELS[1:]:
        if is_feasible(arch):
            break
        arch = uniform(space, level)
    return arch


def scaled_by_hand(space: SearchSpace) -> tuple[Architecture, ...]:
    """The hand-made network at five scales, smallest to largest: where a search starts, so that it never has to find out
    what an engineer would have written first."""
    found = {arch.id: arch for arch in (uniform(space, level) for level in (0.0, 0.25, 0.5, 0.75, 1.0))}
    return tuple(found.values())


def uniform(space: SearchSpace, level: float) -> Architecture:
    """The architecture with every ordered choice at the same relative level, 0 (least) to 1 (most)."""

    def pick(name: str, options: tuple[Any, ...]) -> Any:
        is_ordered = not isinstance(options[0], str) and not (".block" in name and name.count(".") == 1)
        return sorted(options)[int(level * (len(options) - 1) + 0.5)] if is_ordered else options[0]

    return decide(space, pick)
