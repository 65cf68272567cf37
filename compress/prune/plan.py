"""What latency-aware pruning must know of a network, whether it is of our blocks or a user's own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from compress.foreign import Description
from compress.prune.parts import Part


@dataclass(frozen=True)
class Plan:
    """Groups of coupled units that leave together, and what the network is at other widths.

    worths: of each group, what every unit is worth beside the others of the group, (units,). parts: what of the network
    costs time, with the groups of the mapping at these widths and all others whole; equally many in the same order for
    any mapping. cut: the network with so many units in each group, the worthiest, not yet trained on, and which of the
    outputs of a layer in `whole` it has left, by name (`refit` takes it). whole: what it is cut from.
    """

    whole: nn.Module

    worths: tuple[Tensor, ...]
    parts: Callable[[Mapping[int, int]], Sequence[Part]]
    cut: Callable[[Sequence[int]], tuple[Description, nn.Module, Mapping[str, Tensor]]]
