"""Which widths lose least within a latency: a knapsack over measured channel staircases.

Every group of coupled units has a few widths, each with what is lost and what is saved by it. As in Shen et al. 2021
(HALP), arXiv:2110.10811, units leave in order of their worth; unlike there, a layer between two groups costs the
product of what each of them leaves of it, so groups are not independent and the choice is greedy: the move of least
loss a millisecond, all widths of a group looked at in each, then what fits again grows back.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from compress.prune.staircase import Staircase

LEAST_SHARE = 8  # a group keeps at least one in so many of its units: one layer must not carry the whole saving


@dataclass(frozen=True)
class Costs:
    """What a network costs in ms: parts_ms, of each part at its full size; stairs: by (part, group), what that part
    costs at the widths of that group, all other groups at their full size."""

    parts_ms: tuple[float, ...]
    stairs: Mapping[tuple[int, int], Staircase]

    def of_group(self, group: int) -> Staircase:
        """All parts together over the widths of one group; parts that it does not change are left out."""
        found = [stairs for (_, g), stairs in self.stairs.items() if g == group]
        return Staircase(
            found[0].widths, tuple(sum(column) for column in zip(*(s.latencies_ms for s in found), strict=True))
        )

    def share(self, part: int, group: int, width: int) -> float:
        """What is left of a part's latency with this group at this width."""
        stairs = self.stairs.get((part, group))
        if stairs is None:
            return 1.0
        return stairs.latencies_ms[stairs.widths.index(width)] / self.parts_ms[part]

    def each_ms(self, widths: Sequence[int]) -> list[float]:
        """Of each part, every group at its width: the product of what each group leaves of it."""
        return [
            latency_ms * math.prod(self.share(part, group, width) for group, width in enumerate(widths))
            for part, latency_ms in enumerate(self.parts_ms)
        ]

    def total_ms(self, widths: Sequence[int]) -> float:
        """Of all parts, every group at its width."""
        return sum(self.each_ms(widths))


def options(costs: Costs, group: int, units: int) -> tuple[int, ...]:
    """The widths worth having of a group of so many units, ascending: edges of its staircase, none too narrow."""
    least = -(-units // LEAST_SHARE)
    return tuple(width for width in costs.of_group(group).edges() if width >= least)


def alike(offered: Sequence[Sequence[int]], costs: Costs, budget_ms: float) -> tuple[int, ...]:
    """About the same share of every group: the largest that costs at most `budget_ms`, each to the nearest width.

    offered: the widths of each group, ascending, the last of them all its units. The narrowest of all where none fits.
    """
    for percent in range(100, 0, -1):
        wanted = [percent / 100 * widths[-1] for widths in offered]
        found = tuple(
            min(widths, key=lambda width, near=near: (abs(width - near), -width))
            for widths, near in zip(offered, wanted, strict=True)
        )
        if costs.total_ms(found) <= budget_ms:
            return found
    return tuple(widths[0] for widths in offered)


def choose(losses: Sequence[Mapping[int, float]], costs: Costs, budget_ms: float) -> tuple[int, ...]:
    """The width of every group: the least sum of losses for at most `budget_ms` in all parts, or as near as widths go.

    losses: of each group, what is lost at each width that it may take. Cost: milliseconds.
    """
    widths = [max(of_group) for of_group in losses]
    affected = [[part for part, g in costs.stairs if g == group] for group in range(len(losses))]
    now = costs.each_ms(widths)

    def change_ms(group: int, width: int) -> float:
        before = widths[group]
        return sum(
            now[part] * (costs.share(part, group, width) / costs.share(part, group, before) - 1)
            for part in affected[group]
        )

    def move(group: int, width: int) -> None:
        for part in affected[group]:
            now[part] *= costs.share(part, group, width) / costs.share(part, group, widths[group])
        widths[group] = width

    while sum(now) > budget_ms:
        moves = [
            ((loss - losses[group][widths[group]]) / -saved, group, width)
            for group, of_group in enumerate(losses)
            for width, loss in of_group.items()
            if width < widths[group] and (saved := change_ms(group, width)) < 0
        ]
        if not moves:
            break
        _, group, width = min(moves)
        move(group, width)
    while True:
        better = [
            (loss - losses[group][widths[group]], group, width)
            for group, of_group in enumerate(losses)
            for width, loss in of_group.items()
            if loss < losses[group][widths[group]] and sum(now) + change_ms(group, width) <= budget_ms
        ]
        if not better:
            return tuple(widths)
        _, group, width = min(better)
        move(group, width)
