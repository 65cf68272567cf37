"""What a sampler may know about a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.objectives import Objective
    from spaces.space import SearchSpace


@dataclass(frozen=True)
class Finished:
    """A trial that was evaluated: Optuna's parameters of it, and its values, all minimised."""

    params: Mapping[str, Any]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Problem:
    """The space, what is to be improved, and what is allowed.

    objectives: in the order of a trial's values, which are all minimised. limits: exact ones only (params, macs,
    peak_bytes, size_bytes). weight_bytes: bytes of one weight in the exported file, for size_bytes. seen: ids of the
    architectures that were tried, by any origin and with any outcome. finished: trials of the search in their order, as
    Optuna remembers them too, which takes milliseconds to say so when there are ten thousand. memory: what a sampler
    may keep between two questions to save work; answers must be the same without it.
    """

    space: SearchSpace
    objectives: tuple[Objective, ...]
    limits: Mapping[str, float] = field(default_factory=dict)
    weight_bytes: int = 4
    seen: Set[str] = frozenset()
    finished: Sequence[Finished] = ()
    memory: dict[int, Any] = field(default_factory=dict, compare=False)
