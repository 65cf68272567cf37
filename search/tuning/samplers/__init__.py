"""Which recipe next: one file a tuner, each a function of the problem and a seed, and of nothing else.

The contract: what was tried in whole is not proposed again, nor what cannot be taken; the same problem and seed give
the same proposal, so that a resumed study goes on as the unbroken one would have; None where nothing is left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from spaces.registry import Registry

if TYPE_CHECKING:
    from search.tuning.problem import Problem, Proposal

TUNERS: Registry[Callable[[Problem, int], Proposal | None]] = Registry("tuner", "lathe.tuners")

import search.tuning.samplers.random  # noqa: E402  (these register themselves in TUNERS)
import search.tuning.samplers.surrogate  # noqa: E402
import search.tuning.samplers.tpe  # noqa: E402, F401
