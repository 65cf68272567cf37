"""Architectures as numbers: one-hot categories, thermometer ordinals, and costs that are always known.

Costs (MACs, parameters, depth) are exact before any evaluation and comparable between slots, so a few observations
say through them what a one-hot column would need many for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from search.samplers.surrogate.kernels import Block

PART = 0.7  # what a part counts, where another option of a decision counts 1 twice


@dataclass(frozen=True)
class Encoding:
    """Rows of a pool: `decisions` (n, d) in [0, 1] over `slots` slots, and `numbers` (n, k), standardised."""

    decisions: np.ndarray
    slots: int
    numbers: np.ndarray

    def __len__(self) -> int:
        return len(self.decisions)

    def blocks(self) -> tuple[Block, ...]:
        """Kernel terms: additive decisions, interacting decisions, linear costs, smooth costs."""
        centred = self.decisions - self.decisions.mean(0)
        slots, width = max(self.slots, 1), self.numbers.shape[1]
        decided = (
            Block(1.2 * centred / np.sqrt(slots), linear=True),
            Block(1.5 * self.decisions / np.sqrt(2 * slots), linear=False),
        )
        if not width:
            return decided
        smooth = Block(self.numbers / np.sqrt(2 * width), linear=False)
        return (*decided, Block(self.numbers, linear=True), smooth)


def encode(
    codes: np.ndarray,
    ordinal: np.ndarray | None = None,
    costs: np.ndarray | None = None,
    parts: np.ndarray | None = None,
) -> Encoding:
    """Encode `codes` (n, slots), the index of the chosen option of each slot, -1 where the slot is inactive.

    `ordinal` (slots,) marks slots whose order means something: their squared distance grows with the difference and
    is 2 between the extremes, as between two categories. `costs` (n, k) is positive (logs are taken). `parts` (n, p):
    how often a row has each of the parts that blocks say they are made of.
    """
    codes = np.asarray(codes)
    marks = np.zeros(codes.shape[1], bool) if ordinal is None else np.asarray(ordinal, bool)
    columns = [_slot(codes[:, j], bool(marks[j])) for j in range(codes.shape[1])]
    if parts is not None:
        columns.append(PART * np.sqrt(parts))
    numbers = np.zeros((len(codes), 0)) if costs is None else standardise(np.log(np.asarray(costs, float)))
    return Encoding(np.concatenate([np.zeros((len(codes), 0)), *columns], axis=1), codes.shape[1], numbers)


def standardise(columns: np.ndarray) -> np.ndarray:
    """Zero mean and unit variance a column over the pool; constant columns are dropped."""
    spread = columns.std(0)
    varied = spread > 1e-12
    return (columns[:, varied] - columns[:, varied].mean(0)) / spread[varied]


def _slot(codes: np.ndarray, ordinal: bool) -> np.ndarray:
    if not ordinal:
        return (codes[:, None] == np.unique(codes)[None]).astype(float)
    levels = max(int(codes.max()), 1)
    thermometer = (codes[:, None] > np.arange(levels)[None]) * np.sqrt(2 / levels)
    inactive = (codes == -1).astype(float)[:, None]
    return np.concatenate([thermometer, inactive], axis=1)
