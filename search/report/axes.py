"""Axes of the report's charts: round ticks on linear or log scales, and room for labels. Pure arithmetic."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels
LOG_FROM = 6.0  # largest / smallest from which a log scale reads better
CHARACTER = 6.6  # mean width of a character of 12 pixel bold sans-serif type


@dataclass(frozen=True)
class Axis:
    """Values from `low` to `high` onto pixels from `start` to `stop`, with round `ticks` inside."""

    low: float
    high: float
    is_log: bool
    start: float
    stop: float
    ticks: tuple[float, ...]

    def __call__(self, value: float) -> float:
        """The pixel of a value; what lies outside is moved to the edge."""
        value = min(max(value, self.low), self.high)
        low, high, at = (math.log(v) if self.is_log else v for v in (self.low, self.high, value))
        return self.start + (at - low) / (high - low) * (self.stop - self.start)


def axis(values: Iterable[float], start: float, stop: float, ticks: int = 6) -> Axis:
    """An axis that shows all `values` with a little air; log where they are positive and span enough."""
    found = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(found), max(found)
    if low > 0 and high / low >= LOG_FROM:
        air = (high / low) ** 0.04
        low, high = low / air, high * air
        return Axis(low, high, True, start, stop, log_ticks(low, high, ticks))
    air = (high - low) * 0.05 or abs(high) * 0.1 or 1.0
    low, high = max(low - air, 0.0) if low >= 0 else low - air, high + air
    return Axis(low, high, False, start, stop, round_ticks(low, high, ticks))


def round_ticks(low: float, high: float, most: int = 6) -> tuple[float, ...]:
    """Multiples of 1, 2 or 5 times a power of ten between low and high, at most about `most` of them."""
    step = 10.0 ** math.floor(math.log10((high - low) / most))
    step *= next(factor for factor in (1, 2, 5, 10, 20) if (high - low) / (step * factor) <= most)
    digits = max(0, -math.floor(math.log10(step)) + 1)
    return tuple(
        round(i * step, digits) for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    )


def log_ticks(low: float, high: float, most: int = 6) -> tuple[float, ...]:
    """1, 2, 5 times powers of ten where that gives a few, else powers of ten alone, else round steps."""
    for factors in ((1, 2, 3, 4, 5, 6, 8), (1, 2, 5), (1, 3), (1,)):
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        found = tuple(float(f"{factor}e{power}") for power in powers for factor in factors)
        found = tuple(tick for tick in found if low <= tick <= high)
        if 3 <= len(found) <= most + 1:
            return found
    return round_ticks(low, high, most)


def place_label(text: str, x: float, y: float, taken: Sequence[Box], inside: Box) -> tuple[float, float, str, Box]:
    """(x, baseline, text-anchor, box) for a label beside a mark at (x, y), where it hides least of `taken`."""
    width, high = len(text) * CHARACTER, 13.0
    tries = [(12, 4, "start"), (-12, 4, "end"), (0, -12, "middle"), (0, 22, "middle")]
    tries += [(10, -12, "start"), (10, 20, "start"), (-10, -12, "end"), (-10, 20, "end")]
    tries += [(18, -28, "start"), (18, 36, "start"), (-18, -28, "end"), (-18, 36, "end")]
    best: tuple[float, float, float, str, Box] | None = None
    for rank, (dx, dy, anchor) in enumerate(tries):
        left = x + dx - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
        box = left, y + dy - high + 2, left + width, y + dy + 3
        outside = (box[2] - box[0]) * (box[3] - box[1]) - _overlap(box, inside)
        hidden = sum(_overlap(box, other) for other in taken) + 20 * outside
        if best is None or hidden + rank < best[0]:
            best = hidden + rank, x + dx, y + dy, anchor, box
    assert best is not None
    return best[1:]


def _overlap(one: Box, other: Box) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return max(wide, 0.0) * max(high, 0.0)
