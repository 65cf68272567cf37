"""Which architecture next: one file or folder a sampler, each a function that makes an Optuna sampler.

The contract: `make(seed, problem)` gives a sampler that is asked once. Its answer may depend on the seed, the problem
and the finished trials (in their order), and on nothing else: numbers of trials and failed ones differ in a study that
was resumed, which has to go on as the unbroken one would have. Every objective is minimised. What a sampler proposes
may be infeasible or repeated; it is then asked again, and repaired in the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from search.samplers.problem import Problem
from spaces.registry import Registry

if TYPE_CHECKING:
    import optuna

SAMPLERS: Registry[Callable[[int, Problem], optuna.samplers.BaseSampler]] = Registry("sampler", "lathe.samplers")

import search.samplers.evolution  # noqa: E402  (these register themselves in SAMPLERS)
import search.samplers.gp  # noqa: E402
import search.samplers.nsga2  # noqa: E402
import search.samplers.nsga3  # noqa: E402
import search.samplers.random  # noqa: E402
import search.samplers.surrogate  # noqa: E402
import search.samplers.tpe  # noqa: E402, F401
