"""Which architecture next: one file a sampler, each a function of a seed that makes an Optuna sampler."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from spaces.registry import Registry

if TYPE_CHECKING:
    import optuna

# (seed, directions) -> an Optuna sampler
SAMPLERS: Registry[Callable[[int], optuna.samplers.BaseSampler]] = Registry("sampler", "lathe.samplers")

import search.samplers.nsga2  # noqa: E402  (these register themselves in SAMPLERS)
import search.samplers.random  # noqa: E402, F401
