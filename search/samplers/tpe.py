"""Tree-structured Parzen estimator: densities of good and bad trials. Source: Bergstra et al. 2011, NeurIPS 24;
multivariate, Falkner et al. 2018, arXiv:1807.01774.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.samplers import SAMPLERS
from search.samplers.problem import Problem

if TYPE_CHECKING:
    import optuna

STARTUP = 10  # random trials first


@SAMPLERS.register("tpe")
def tpe(seed: int, problem: Problem) -> optuna.samplers.BaseSampler:
    """Optuna's multivariate TPE after 10 random trials. It needs no constraints: it never hears of broken limits."""
    import optuna

    return optuna.samplers.TPESampler(multivariate=True, n_startup_trials=STARTUP, seed=seed)
