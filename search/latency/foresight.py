"""What foresees latencies on a device of a study: its own measurements, other devices, and blocks once calibrated."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from search.latency.block_table import BlockTable, fit_blocks
from search.latency.device_prior import DeviceTable
from search.latency.predictors import LatencyModel
from search.latency.transfer import best_model
from spaces.architecture import Architecture
from spaces.features import features
from spaces.space import SearchSpace


@dataclass(frozen=True)
class Known:
    """What was known of a device before the study: its blocks, whole networks with their latencies in ms, and other
    devices that were measured."""

    blocks: BlockTable = field(default_factory=BlockTable)
    networks: tuple[tuple[Architecture, float], ...] = ()
    others: tuple[DeviceTable, ...] = ()

    @property
    def helps(self) -> bool:
        """Fewer measurements of its own are enough."""
        return bool(self.blocks.ms or self.others)


@dataclass(frozen=True)
class Foresight:
    """by_features: for any network. by_blocks: the better one for networks of known blocks, where it is."""

    space: SearchSpace
    blocks: BlockTable
    by_features: LatencyModel | None
    by_blocks: LatencyModel | None

    def predict_ms(self, arch: Architecture) -> tuple[float, float, float] | None:
        """(latency, low, high) in ms with a 90 % interval; None if too little was measured."""
        row = self.blocks.row(self.space, arch) if self.by_blocks else None
        if self.by_blocks is not None and row is not None:
            return self.by_blocks.predict_ms(row)
        return self.by_features.predict_ms(features(arch)) if self.by_features else None


def foresee(space: SearchSpace, known: Known, measured: Sequence[tuple[Architecture, float]]) -> Foresight:
    """Fit to networks with their latencies in ms, the study's own beside those that were known.

    Blocks are believed where they predict the measured networks, each from the others, better than features do.
    """
    pairs = [*known.networks, *measured]
    by_features = best_model(known.others, [features(arch) for arch, _ in pairs], [latency for _, latency in pairs])
    rows = [(row, ms) for arch, ms in pairs if (row := known.blocks.row(space, arch)) is not None]
    by_blocks = fit_blocks([row for row, _ in rows], [ms for _, ms in rows])
    if by_blocks and by_features and by_features.error < by_blocks.error:
        by_blocks = None
    return Foresight(space, known.blocks, by_features, by_blocks)
