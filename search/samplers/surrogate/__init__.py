"""Surrogate: a Gaussian process of every unknown objective, asked about architectures that meet the limits."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from search.samplers import SAMPLERS
from search.samplers.problem import Problem

if TYPE_CHECKING:
    import optuna


@SAMPLERS.register("surrogate")
def surrogate(seed: int, problem: Problem) -> optuna.samplers.BaseSampler:
    """Expected improvement over a pool of feasible architectures that were not seen; see sampler.py."""
    from search.samplers.surrogate.sampler import batch, propose, remembered
    from search.samplers.whole import WholeSampler

    return WholeSampler(seed, problem, remembered, partial(propose, problem), batch)
