"""How good a network will be at the end of its training, by what training has done to others of the study. No I/O."""

import math
import statistics
from collections.abc import Callable, Sequence

from scipy.stats import t as student

CONFIDENCE = 0.9
LEAST = 1e-9  # of a loss, before its logarithm

Ends = tuple[float, float, float]  # low, value, high
Pairs = Sequence[tuple[float, float]]  # a quality before and after, of one network each
SCALES: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {  # there, training on is a shift
    "loss": (lambda loss: math.log(max(loss, LEAST)), math.exp),
    "accuracy": (float, float),
}


def outlook(metric: str, now: Ends, to_full: Pairs, to_short: Pairs) -> Ends:
    """(low, expected, high) at the end of a network that has `now` = (low, value, high) after the short training.

    to_full: (short, full) of the networks that were trained to the end. to_short: (shared weights, short) of all.
    Expected is the mean shift of those in `to_full`, in the logarithm where it is a loss; without any, no shift: it is
    the same for all, and only their order is known. How far networks are off is pooled from both kinds of pairs, since
    few are trained to the end, and the interval of `now` is added, since the images that are asked are few. Without two
    networks of one kind the result's interval is endless.
    """
    there, back = SCALES[metric]
    ended, begun = ([there(after) - there(before) for before, after in pairs] for pairs in (to_full, to_short))
    low, at, high = map(there, now)
    at += statistics.fmean(ended) if ended else 0.0
    off = math.hypot(_deviation(ended, begun) * math.sqrt(1 + 1 / max(len(ended), 1)), (high - low) / 2)
    return back(at - off), back(at), back(at + off)


def _deviation(*kinds: Sequence[float]) -> float:
    """Half the interval of one more shift around the mean of its kind; endless where nothing says so."""
    freedom = sum(max(len(shifts) - 1, 0) for shifts in kinds)
    if freedom == 0:
        return math.inf
    squares = sum((shift - statistics.fmean(shifts)) ** 2 for shifts in kinds for shift in shifts)
    return float(student.ppf((1 + CONFIDENCE) / 2, freedom)) * math.sqrt(squares / freedom)
