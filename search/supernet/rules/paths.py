"""The best path by scores of every option, and a guard against paths that skip too many layers.

Differentiable searches are known to collapse to skips, which train fastest; P-DARTS (Chen et al. 2019,
arXiv:1904.12760) also bounds their number and undoes the least certain first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from spaces.architecture import Architecture
from spaces.blocks import BLOCKS
from spaces.network import Placed, skeleton
from spaces.space import BlockChoice, SearchSpace, decide

Scores = Callable[[str, int], list[float]]  # of the options of a decision, by its name and their number
Even = Callable[[str, tuple[Any, ...]], Any]  # what is not scored: a pick by chance


@dataclass(frozen=True)
class Path:
    """picks: of each scored decision, the place of the pick among its options. undone: those that the guard made."""

    arch: Architecture
    picks: dict[str, tuple[int, tuple[Any, ...]]]
    undone: frozenset[str]


def best_path(space: SearchSpace, scores: Scores, even: Even, skips: float) -> Path:
    """Of every decision but widths the option with the largest score; widths are `even`'s to pick.

    While more than the share `skips` of the layers that can be skipped are, the skip with the least lead over what
    would skip less is replaced by that.
    """
    forced: dict[str, int] = {}
    while True:
        path = _path(space, scores, even, forced)
        undo = None if skipped(space, path.arch) <= skips * removable(space) else _least_certain(space, path, scores)
        if undo is None:
            return path
        forced |= undo


def _path(space: SearchSpace, scores: Scores, even: Even, forced: Mapping[str, int]) -> Path:
    picks: dict[str, tuple[int, tuple[Any, ...]]] = {}

    def pick(name: str, options: tuple[Any, ...]) -> Any:
        if len(options) == 1 or name.endswith(".width"):
            return even(name, options)
        found = scores(name, len(options))
        picks[name] = forced.get(name, max(range(len(options)), key=found.__getitem__)), options
        return options[picks[name][0]]

    return Path(decide(space, pick), picks, frozenset(forced))


def skipped(space: SearchSpace, arch: Architecture) -> int:
    """Layers of the deepest networks that this one does without, or fills with a block that has no weights."""
    missing = sum(max(s.depth) - len(stage.blocks) for s, stage in zip(space.stages, arch.stages, strict=True))
    return missing + sum(not _has_weights(block, stage.width) for stage in arch.stages for block in stage.blocks)


def removable(space: SearchSpace) -> int:
    """The most layers that a network of the space skips."""
    return sum(
        max(stage.depth) if any(map(is_skip, stage.blocks)) else max(stage.depth) - min(stage.depth)
        for stage in space.stages
    )


def _least_certain(space: SearchSpace, path: Path, scores: Scores) -> dict[str, int] | None:
    found: list[tuple[float, str, int]] = []
    for name, (place, options) in path.picks.items():
        degrees = [_degree(space, name, options, at) for at in range(len(options))]
        less = [at for at in range(len(options)) if degrees[at] < degrees[place]]
        if less:
            values = scores(name, len(options))
            best = max(less, key=values.__getitem__)
            found.append((values[place] - values[best], name, best))
    return {min(found)[1]: min(found)[2]} if found else None


def _degree(space: SearchSpace, name: str, options: tuple[Any, ...], at: int) -> int:
    """How many layers an option skips."""
    stage = space.stages[int(name.partition(".")[0].removeprefix("stage"))] if name.startswith("stage") else None
    if stage is None or name.count(".") > 1:
        return 0
    return max(options) - options[at] if name.endswith(".depth") else int(is_skip(stage.blocks[options[at]]))


@lru_cache(maxsize=1024)  # asked for every decision of a draw
def is_skip(choice: BlockChoice) -> bool:
    """Whether the block is one without weights: a layer that is not there."""
    make: Any = BLOCKS.get(choice.kind)
    return not _has_weights(make(**{name: values[0] for name, values in choice.fields}), 16)


def _has_weights(block: Any, width: int) -> bool:
    return any(True for _ in skeleton(Placed(block, width)).parameters())
