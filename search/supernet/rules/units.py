"""Units: what the next larger option of a decision adds to the one below it, and the networks that consist of them."""

from __future__ import annotations

import random
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from search.supernet.rules.paths import is_skip
from spaces.architecture import Architecture
from spaces.blocks import BLOCKS
from spaces.blocks.block import order_of
from spaces.counts import count
from spaces.space import SearchSpace, decide


class Everything:
    """Holds whatever it is asked for."""

    def __contains__(self, _: object) -> bool:
        return True


@dataclass(frozen=True)
class Grown:
    """A network of some units. key: of the draws of what has no order; the same units and key give the same network."""

    arch: Architecture
    units: tuple[str, ...]
    key: str


def network(space: SearchSpace, units: Container[str], key: str) -> Grown:
    """The network that has these units, as far as those below them are there too."""
    present: list[str] = []

    def pick(name: str, options: tuple[Any, ...]) -> Any:
        groups, level = ladder(space, name, options), 0
        while level + 1 < len(groups) and unit_of(name, level + 1) in units:
            level += 1
            present.append(unit_of(name, level))
        return groups[level][0] if len(groups[level]) == 1 else random.Random(f"{key}/{name}").choice(groups[level])

    return Grown(decide(space, pick), tuple(present), key)


def ladder(space: SearchSpace, name: str, options: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """The options from the least to the most; those of one group are alternatives, and a single group is no ladder."""
    stage, _, rest = name.partition(".")
    if ".block" not in name:
        return [(option,) for option in sorted(options)]
    choices = space.stages[int(stage.removeprefix("stage"))].blocks
    if "." not in rest:
        groups = [tuple(o for o in options if is_skip(choices[o]) == skips) for skips in (True, False)]
        return [group for group in groups if group]
    _, index, field = rest.split(".")
    make = BLOCKS.get(choices[int(index)].kind)
    order = order_of(make, field)
    if field in make.separate or (isinstance(options[0], str) and not order):
        return [options]
    return [(option,) for option in sorted(options, key=order.index if order else None)]


def unit_of(decision: str, level: int) -> str:
    """What the option at `level` of a ladder adds to the one below it."""
    return f"{decision}/{level}"


def is_weighed(unit: str) -> bool:
    """Whether a block's gate can be its mask: depths, widths and kinds of the stages."""
    return unit.startswith("stage") and unit.count(".") == 1


def cost_of(space: SearchSpace, grown: Grown, unit: str) -> int:
    """The MACs that a unit adds to the units below it."""
    decision, _, level = unit.rpartition("/")
    ends = unit_of(decision, int(level) + 1), unit
    with_it, without = (network(space, {*grown.units} - {end}, grown.key) for end in ends)
    return count(with_it.arch).macs - count(without.arch).macs
