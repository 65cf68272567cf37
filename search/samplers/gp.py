"""Gaussian process: expected improvement of the loss, or of the hypervolume. Source: Snoek et al. 2012,
arXiv:1206.2944; with several objectives, Daulton et al. 2020, arXiv:2006.05078; in logarithms, Ament et al. 2023,
arXiv:2310.20708.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.samplers import SAMPLERS
from search.samplers.problem import Problem

if TYPE_CHECKING:
    import optuna

STARTUP = 10  # random trials first


@SAMPLERS.register("gp")
def gp(seed: int, problem: Problem) -> optuna.samplers.BaseSampler:
    """Optuna's GPSampler after 10 random trials, told that values are noisy. It knows nothing of limits.

    Cost: 1.6 s of a core a proposal with one or two objectives and 3 s with three, at 30 finished trials, more with
    more of them: for studies whose trials take minutes.
    """
    import optuna

    return optuna.samplers.GPSampler(n_startup_trials=STARTUP, seed=seed)
