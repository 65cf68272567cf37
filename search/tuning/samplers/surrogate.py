"""Our tuner: two Gaussian processes over recipes, one of the accuracy lost and one of what is to be made small.

The expected improvement of latency (and, a little, of size), times the probability that the budget is kept; every
fourth time what promises most for the front of accuracy, latency and size. With `aim: front` always what is expected
to widen the front most for a second of its time, by three processes of what a recipe changes of the network that it
starts from; so what was learned of one start tells of others that are like it. A recipe that trains is first looked
at in short; of every few that were, the most promising one is tried in whole. Looks and wholes are one data set, in
which being a look is one more decision. Sources: constrained expected improvement, Gardner
et al. 2014 (ICML 32); tuning of compression by a learned model, Quantune, Lee et al. 2022, arXiv:2202.05048. Differs:
from Quantune by a Gaussian process in place of gradient boosting, chains of steps in place of quantizer settings, and
latency.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from search.samplers.surrogate.acquisition import expected_improvement
from search.samplers.surrogate.encoding import Encoding, encode
from search.samplers.surrogate.gaussian_process import fit
from search.samplers.surrogate.ranking import rank
from search.tuning.growth import corner, growth, point, seconds_of
from search.tuning.problem import Problem, Proposal, opening, penalised, proposed, waiting
from search.tuning.samplers import TUNERS
from search.tuning.seen import Seen, best, fits_surely, goal
from search.tuning.space import Candidate

FIRST = 5  # variants, starts among them, before the first fit
FRONT_EVERY = 4
NEAR = 5  # the best recipes whose neighbours are candidates in large spaces
LEARNED = 160  # observations that a fit takes: the newest


@TUNERS.register("surrogate")
def surrogate(problem: Problem, seed: int) -> Proposal | None:
    """The default."""
    first = opening(problem)
    if first is not None:
        return first
    rng = random.Random(seed)
    known = [one for one in problem.seen if one.numbers is not None][-LEARNED:]
    near = [
        one.candidate
        for one in sorted(known, key=lambda one: penalised(one, problem.max_drop))[:NEAR]
        if one.candidate.steps
    ]
    pool = [candidate for candidate in problem.space.pool(near, rng) if problem.is_open(candidate)]
    if not pool:
        return None
    if problem.for_front and sum(bool(one.candidate.steps) for one in known) < FIRST:
        return proposed(problem, _unlike(problem, _where_it_costs_least(problem, pool), rng))
    if len(known) < FIRST:
        return proposed(problem, _unlike(problem, pool, rng))
    survivors = {one.candidate for one in waiting(problem)}
    if survivors:
        pool = [candidate for candidate in pool if candidate in survivors] or pool
    elif problem.looks_first:
        pool = [candidate for candidate in pool if candidate not in problem.looked] or pool
    if problem.for_front:
        return proposed(problem, pool[int(_promises(problem, known, pool).argmax())])
    encoding = _encoded(problem, known, pool)
    if len(known) % FRONT_EVERY == 0:
        order = rank(encoding, np.arange(len(known)), _values(known), np.random.default_rng(seed))
        return proposed(problem, pool[order[0] - len(known)])
    scores = _scores(problem, encoding, known)
    ties = np.flatnonzero(scores >= scores.max() - 1e-12)
    return proposed(problem, pool[ties[rng.randrange(len(ties))]])


def _where_it_costs_least(problem: Problem, pool: Sequence[Candidate]) -> Sequence[Candidate]:
    """What starts from the fastest network that has any left: the first recipes are there to learn from."""
    starts = [one for one in problem.seen if one.numbers and not one.candidate.steps]
    quickest = sorted(starts, key=lambda one: goal(one.numbers) if one.numbers else 0.0)
    parts = ([candidate for candidate in pool if candidate.start == one.candidate.start] for one in quickest)
    return next((part for part in parts if part), pool)


def _unlike(problem: Problem, pool: Sequence[Candidate], rng: random.Random) -> Candidate:
    """Of some drawn at random the one least like what was tried: the first ones are spread over the space."""
    drawn = rng.sample(list(pool), min(64, len(pool)))
    tried = [one.candidate for one in problem.seen if one.candidate.steps]
    if not tried:
        return drawn[0]
    ours, theirs = problem.space.codes(drawn), problem.space.codes(tried)
    least = (ours[:, None] != theirs[None]).sum(2).min(1)
    return drawn[int(least.argmax())]


def _encoded(
    problem: Problem, known: Sequence[Seen], pool: Sequence[Candidate], about: np.ndarray | None = None
) -> Encoding:
    """What was seen, then the pool as wholes; whether it is a look is the last decision. about: (n, k) positive numbers
    of the network that each row starts from."""
    rows = problem.space.codes([*(one.candidate for one in known), *pool])
    look = np.array([one.is_look for one in known] + [False] * len(pool), int)[:, None]
    return encode(np.concatenate([rows, look], axis=1), np.append(problem.space.ordinal, False), about)


def _promises(problem: Problem, known: Sequence[Seen], pool: Sequence[Candidate]) -> np.ndarray:
    """(m,) of the pool: how far each is expected to widen the front, for a second of its time."""
    given = {one.candidate.start: one.numbers for one in problem.seen if one.numbers and not one.candidate.steps}
    starts = [given[candidate.start] for candidate in [*(one.candidate for one in known), *pool]]
    about = np.array([(n.latency_ms, n.size_bytes, 1.001 - n.accuracy) for n in starts])
    blocks = _encoded(problem, known, pool, about).blocks()
    rows, asked = np.arange(len(known)), np.arange(len(known), len(starts))
    base, worst = np.array([point(n) for n in starts]), corner(problem.seen, problem.max_drop)[0]
    found = np.array([point(n) for n in (one.numbers for one in known) if n])
    is_broken = [bool(one.numbers and one.numbers.broken) for one in known]
    found[:, 0] = np.where(is_broken, worst, np.minimum(found[:, 0], worst))
    mean, deviation = base[asked], np.zeros((len(asked), 3))
    for column, changed in enumerate((found - base[rows]).T):
        middle, spread = changed.mean(), max(changed.std(), 1e-6)
        told = fit(blocks, rows, (changed - middle) / spread).predict(asked)
        mean[:, column] += middle + spread * told[0]
        deviation[:, column] = spread * told[1]
    return growth(mean, deviation, problem.seen, problem.max_drop) / seconds_of(pool, problem)


def _values(known: Sequence[Seen]) -> np.ndarray:
    """(n, 3) accuracy lost, log latency, log size: all to be made small."""
    found = [one.numbers for one in known if one.numbers is not None]
    return np.array([[n.drop, np.log(n.latency_ms), np.log(n.size_bytes)] for n in found])


def _scores(problem: Problem, encoding: Encoding, known: Sequence[Seen]) -> np.ndarray:
    """(m,) of the pool: expected improvement of the goal times the probability of keeping the budget."""
    found = [one.numbers for one in known if one.numbers is not None]
    is_sure = any(fits_surely(n, problem.max_drop) for one, n in zip(known, found, strict=True) if one.candidate.steps)
    most = problem.max_drop + 8 * max(problem.max_drop, 0.5)  # what broke, or breaks a limit, says no more than that
    lost = np.array([most if n.broken else min(most, n.high if is_sure else n.drop) for n in found])
    aim = np.array([goal(n) for n in found])
    seen, pool = np.arange(len(known)), np.arange(len(known), len(encoding))
    blocks = encoding.blocks()
    (lost_mean, lost_scale), (aim_mean, aim_scale) = ((y.mean(), max(y.std(), 1e-6)) for y in (lost, aim))
    mean, deviation = fit(blocks, seen, (lost - lost_mean) / lost_scale).predict(pool)
    keeps = ndtr(((problem.max_drop - lost_mean) / lost_scale - mean) / deviation)
    mean, deviation = fit(blocks, seen, (aim - aim_mean) / aim_scale).predict(pool)
    incumbent = best(problem.seen, problem.max_drop)
    if incumbent is None or incumbent.numbers is None:
        return keeps
    reached = (goal(incumbent.numbers) - aim_mean) / aim_scale
    return expected_improvement(mean, deviation, reached) * keeps
