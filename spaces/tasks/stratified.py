"""Parts of examples that hold every class in its share, as far as whole examples can.

How many of a class a part gets: the largest remainder (Hamilton's method), within bounds. O(n log n): 1e6 examples take
a second.
"""

from collections.abc import Sequence

import numpy as np

NEARLY = 1e-6  # shares closer than this are equal: they are sums of floats


def split_indices(labels: np.ndarray, fractions: Sequence[float], seed: int) -> list[np.ndarray]:
    """Disjoint index arrays: one of round(fraction * n) for each fraction, then the rest, which is to train. Same seed,
    same split. labels: (n,) class numbers, of which every part gets its share as `divided` says.

    As they are drawn, not in order: files are often sorted by class, and what asks the first few hundred examples of a
    part (BatchNorm statistics, importances, a trial) means any few hundred.
    """
    rng = np.random.default_rng(seed)
    table = divided(np.bincount(labels), sizes(len(labels), fractions), rng)  # first: it is foreseen from counts alone
    part = _dealt(labels, table, rng)
    order = rng.permutation(len(labels))  # another one: by that of dealing, a part begins with classes it has least of
    return [order[part[order] == index] for index in range(table.shape[1])]


def sizes(n: int, fractions: Sequence[float]) -> list[int]:
    """How many of n examples each part has; the last one, which is to train, has what is left."""
    taken = [round(fraction * n) for fraction in fractions]
    return [*taken, n - sum(taken)]


def drawn(labels: np.ndarray, limit: int, seed: int = 0) -> np.ndarray:
    """The indices of `limit` examples, every class in its share and at least once where there is room; always the same
    for a seed, ascending; 0: of all."""
    if not 0 < limit < len(labels):
        return np.arange(len(labels))
    rng = np.random.default_rng(seed)
    counts = np.bincount(labels)
    taken = _taken(limit, counts, counts > 0, counts, rng)
    return np.flatnonzero(_dealt(labels, np.stack([taken, counts - taken], 1), rng) == 0)


def divided(counts: np.ndarray, totals: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """(classes, parts): how many of the counts[k] examples of class k each part gets, the last one to train.

    Parts have exactly their totals. A class has its share of each, to the nearest whole examples; at least one in every
    part, if it has as many examples as there are parts and the part has a place for each such class (else the
    commonest have one); and all of them in the last part, if it has fewer and that has the room.
    """
    table, left = np.zeros((len(counts), len(totals)), int), counts.astype(int)
    filled = [part for part, total in enumerate(totals) if total]
    is_enough = counts >= len(filled)
    for later, part in zip(range(len(filled) - 1, 0, -1), filled, strict=False):
        kept = (np.where(is_enough, later, left), np.where(is_enough, later, 1), is_enough * later, 0 * left)
        high = next(most for keep in kept if (most := np.maximum(left - keep, 0)).sum() >= totals[part])
        table[:, part] = _taken(totals[part], counts, is_enough & (high > 0), high, rng)
        left = left - table[:, part]
    table[:, filled[-1:]] = left[:, None]
    return table


def _taken(
    total: int, counts: np.ndarray, wanted: np.ndarray, high: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """(classes,) integers of this sum in proportion to counts, at most `high`, at least 1 where wanted: the
    commonest, where those are more than the sum. Equal claims are settled by lot. high: their sum is large enough."""
    lots = rng.permutation(len(counts))
    low = np.zeros(len(counts), int)
    low[np.lexsort((lots, -counts, ~wanted))[: min(total, wanted.sum())]] = 1
    shares = _shares(total, counts, low, high)
    taken = np.floor(shares + NEARLY).astype(int)
    remainders = np.where(taken < high, np.round(shares - taken, 6), -1.0)
    taken[np.lexsort((lots, -remainders))[: total - taken.sum()]] += 1
    return taken


def _shares(total: int, counts: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """(classes,) numbers of this sum, `scale * counts` kept between low and high: the scale is found by bisection."""
    below, above = 0.0, 1.0  # at which all are low, and high
    for _ in range(64):
        scale = (below + above) / 2
        is_less = np.clip(scale * counts, low, high).sum() < total
        below, above = (scale, above) if is_less else (below, scale)
    return np.clip(above * counts, low, high)


def _dealt(labels: np.ndarray, table: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n,) the part of each example: of every class as many as the (classes, parts) table says, any of them."""
    order, counts = rng.permutation(len(labels)), table.sum(1)
    by_class = order[np.argsort(labels[order], kind="stable")]
    rank = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)  # of an example in its class
    part = np.zeros(len(labels), np.int8)
    for ends in np.cumsum(table, 1)[:, :-1].T:
        part[by_class] += rank >= np.repeat(ends, counts)
    return part
