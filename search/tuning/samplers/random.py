"""Random: every recipe as likely, the best third of what was looked at in whole. What any other tuner has to beat."""

import random as chance

from search.tuning.problem import Problem, Proposal, opening, proposed, survivor
from search.tuning.samplers import TUNERS


@TUNERS.register("random")
def random(problem: Problem, seed: int) -> Proposal | None:
    """What was good elsewhere first."""
    return opening(problem) or survivor(problem) or proposed(problem, problem.draw(chance.Random(seed)))
