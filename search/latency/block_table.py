"""What each piece of a network takes on a device by itself, and their sum as about what the network takes.

A sum of measured pieces knows what no count of operations does: which kernels a runtime has, what it fuses, what int8
costs where it does not. What the sum does not know (fusion across pieces, caches, a call's own time) a few whole
networks correct: see `fit_blocks`. Tables of this kind are in ProxylessNAS (Cai et al. 2019, arXiv:1812.00332).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from compress.measurement import Measurement
from search.latency.predictors import LatencyModel, fit_latency
from spaces.architecture import Architecture
from spaces.features import kind_of, kinds_of
from spaces.placements import placements_of
from spaces.space import SearchSpace

BY_KIND = 0.1  # what a kind of piece adds to the sum is trusted a tenth as much as the sum


@dataclass(frozen=True)
class BlockTable:
    """ms: of each placement that was measured on one device in one precision, by its key."""

    ms: Mapping[str, float] = field(default_factory=dict)

    def row(self, space: SearchSpace, arch: Architecture) -> np.ndarray | None:
        """(1 + kinds,) ms: of all pieces together, then of each kind of the space. None if a piece is not known, as
        where pruning made a width that the space does not have."""
        kinds = sorted(kinds_of(space))
        row = np.zeros(1 + len(kinds))
        for placed in placements_of(arch):
            ms = self.ms.get(placed.key)
            if ms is None or (kind := kind_of(placed.piece)) not in kinds:
                return None
            row[[0, 1 + kinds.index(kind)]] += ms
        return row


def table_of(found: Iterable[Measurement]) -> BlockTable:
    """The table of measurements of one device and precision, the newest last."""
    return BlockTable({str(m.details["block"]): m.value / int(m.details["copies"]) for m in found})


def fit_blocks(rows: Sequence[np.ndarray], latencies_ms: Sequence[float]) -> LatencyModel | None:
    """The model of whole networks from rows of a BlockTable: a + b * sum, and small corrections by kind where they
    predict what they do not know better. None with fewer than 8 networks."""
    if not rows:
        return None
    kinds = len(rows[0]) - 1
    return fit_latency(rows, latencies_ms, [np.array([1.0] + [trust] * kinds) for trust in (0.0, BY_KIND)])
