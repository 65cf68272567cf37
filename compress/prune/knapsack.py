"""Which widths keep most of what matters within a latency: a knapsack over measured channel staircases.

Every group of coupled units has a few widths, each with what is lost and what is saved by it. As in Shen et al. 2021
(HALP), arXiv:2110.10811, units leave in order of their worth; unlike there, a layer between two groups costs the
product of what each of them leaves of it, so groups are not independent and the choice is greedy: the move of least
loss a millisecond, all measured edges of a group looked at in each, then what fits again grows back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

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

    def total_ms(self, widths: Sequence[int]) -> float:
        """Of all parts, every group at its width."""
        total = 0.0
        for part, latency_ms in enumerate(self.parts_ms):
            for group, width in enumerate(widths):
                latency_ms *= self.share(part, group, width)
            total += latency_ms
        return total


def losses_of(worth: Tensor) -> Tensor:
    """(units + 1,): entry w is -log of the share of all worth that the w worthiest units have.

    A share, because worths of two groups do not compare; its logarithm, because half of what is left costs the same
    wherever it goes, so that no group is emptied for the others.
    """
    descending = worth.double().clamp_min(0).sort(descending=True).values
    kept = torch.cat([torch.zeros(1, dtype=torch.float64), descending.cumsum(0)]) / descending.sum().clamp_min(1e-30)
    return -kept.clamp(1e-30, 1).log()


def choose(worths: Sequence[Tensor], costs: Costs, budget_ms: float) -> tuple[int, ...]:
    """The width of every group: the least sum of losses for at most `budget_ms` in all parts, or as near as widths go.

    worths: (units,) each. Only the edges of a group's staircase are looked at. Cost: milliseconds.
    """
    losses = [losses_of(worth) for worth in worths]
    options = [_options(costs, group, len(worth)) for group, worth in enumerate(worths)]
    widths = [len(worth) for worth in worths]
    affected = [[part for part, g in costs.stairs if g == group] for group in range(len(worths))]
    now = [costs.parts_ms[part] for part in range(len(costs.parts_ms))]

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
            (float(losses[group][width] - losses[group][widths[group]]) / -saved, group, width)
            for group, options_of_group in enumerate(options)
            for width in options_of_group
            if width < widths[group] and (saved := change_ms(group, width)) < 0
        ]
        if not moves:
            break
        _, group, width = min(moves)
        move(group, width)
    while True:
        grown = [
            (float(losses[group][widths[group]] - losses[group][width]), group, width)
            for group, options_of_group in enumerate(options)
            for width in options_of_group
            if width > widths[group] and sum(now) + change_ms(group, width) <= budget_ms
        ]
        if not grown or max(grown)[0] <= 0:
            return tuple(widths)
        _, group, width = max(grown)
        move(group, width)


def _options(costs: Costs, group: int, units: int) -> tuple[int, ...]:
    least = -(-units // LEAST_SHARE)
    return tuple(width for width in costs.of_group(group).edges() if width >= least)
