"""What a sampler may know about a study, beside the trials that Optuna remembers."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.objectives import Objective
    from spaces.space import SearchSpace


@dataclass(frozen=True)
class Problem:
    """The space, what is to be improved, and what is allowed.

    objectives: in the order of a trial's values, which are all minimised. limits: exact ones only (params, macs,
    peak_bytes, size_bytes). weight_bytes: bytes of one weight in the exported file, for size_bytes. seen: ids of the
    architectures that were tried, by any origin and with any outcome. memory: what a sampler may keep between two
    questions to save work; answers must be the same without it.
    """

    space: SearchSpace
    objectives: tuple[Objective, ...]
    limits: Mapping[str, float] = field(default_factory=dict)
    weight_bytes: int = 4
    seen: Set[str] = frozenset()
    memory: dict[int, Any] = field(default_factory=dict, compare=False)
