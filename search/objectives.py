"""Which values are better: Pareto fronts and hypervolume over values that are all minimised."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Objective:
    """A metric to improve. metric: `loss`, `accuracy`, `params`, `macs`, `peak_bytes` or `latency_ms`; device: where,
    for the last. `name` is how space.yaml writes it: `loss`, `latency_ms@here`."""

    metric: str
    direction: Literal["min", "max"] = "min"
    device: str = ""

    @property
    def name(self) -> str:
        """`metric` or `metric@device`."""
        return f"{self.metric}@{self.device}" if self.device else self.metric

    def minimised(self, value: float) -> float:
        """The value with the sign that makes less better."""
        return value if self.direction == "min" else -value


def minimised(objectives: Sequence[Objective], values: Mapping[str, float]) -> tuple[float, ...]:
    """The values in the objectives' order, all to be minimised. Raises KeyError if one is missing."""
    return tuple(objective.minimised(values[objective.name]) for objective in objectives)


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """True if `one` is nowhere worse and somewhere better (less is better)."""
    return all(a <= b for a, b in zip(one, other, strict=True)) and any(a < b for a, b in zip(one, other, strict=True))


def front(points: Sequence[Sequence[float]]) -> list[int]:
    """Indices of the points that no other dominates, in order of the first value; of equal points the first is kept."""
    kept: list[int] = []
    for index in sorted(range(len(points)), key=lambda i: (tuple(points[i]), i)):
        if not any(dominates(points[k], points[index]) or tuple(points[k]) == tuple(points[index]) for k in kept):
            kept.append(index)
    return kept


def corner_of(points: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """The corner from which a hypervolume is counted: the worst value of each objective, plus 5 %."""
    return tuple(worst + 0.05 * abs(worst) for worst in map(max, zip(*points, strict=True)))


def hypervolume(points: Sequence[Sequence[float]], reference: Sequence[float]) -> float:
    """The volume that the points dominate up to `reference` (less is better); exact, any number of objectives.

    Cost: n log n for two objectives, exponential in the number of objectives by slicing the last one.
    """
    inside = [tuple(p) for p in points if all(a < r for a, r in zip(p, reference, strict=True))]
    if not inside:
        return 0.0
    if len(reference) == 1:
        return reference[0] - min(p[0] for p in inside)
    volume, levels = 0.0, sorted({p[-1] for p in inside}) + [reference[-1]]
    for low, high in zip(levels, levels[1:], strict=False):
        volume += (high - low) * hypervolume([p[:-1] for p in inside if p[-1] <= low], reference[:-1])
    return volume
