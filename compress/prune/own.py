"""The plan of a network of our blocks: its dimensions are the groups, its pieces the parts."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from compress.prune.dimensions import Dimension, axes, dimensions, ordered, shortened
from compress.prune.importance import importance, slopes_for
from compress.prune.plan import Plan
from spaces.architecture import Architecture
from spaces.placements import Placement, placements_of
from spaces.tasks import Data
from spaces.windows import extract


def own_plan(arch: Architecture, network: nn.Module, data: Data, kind: str, width: bool) -> Plan:
    """width: the stages' widths are groups too. kind: of importance. Cost: that of the importance."""
    slopes = slopes_for(kind, network, data)
    tensors = dict(network.state_dict())
    groups = [d for d in dimensions(arch) if d.units > 1 and (width or d.block >= 0)]
    worths = tuple(importance(tensors, axes(arch, d), d.units, kind, slopes) for d in groups)

    def parts(at: Mapping[int, int]) -> list[Placement]:
        return list(placements_of(_shortened(arch, {groups[group]: units for group, units in at.items()})))

    moved = tensors
    for group, worth in zip(groups, worths, strict=True):
        moved = ordered(moved, axes(arch, group), worth.argsort(descending=True, stable=True))

    def cut(widths: Sequence[int]) -> tuple[Architecture, nn.Module, dict[str, Tensor]]:
        smaller = _shortened(arch, dict(zip(groups, widths, strict=True)))
        return smaller, extract(moved, smaller), {}  # the first outputs of every layer

    return Plan(extract(moved, arch), worths, parts, cut)


def _shortened(arch: Architecture, at: Mapping[Dimension, int]) -> Architecture:
    for dimension, units in at.items():
        arch = shortened(arch, dimension, units)
    return arch
