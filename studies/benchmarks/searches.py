"""The searches that are compared. Each is (look-up, seed) -> rows of the table, in the order of evaluation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import optuna
from nas_tables import Lookup
from optuna.study import StudyDirection

from search.samplers.surrogate.encoding import encode
from search.samplers.surrogate.pool import SIZE
from search.samplers.surrogate.ranking import by_rank, first_random, rank
from search.samplers.surrogate.sampler import PARENTS

Search = Callable[[Lookup, int], np.ndarray]


def random_feasible(lookup: Lookup, seed: int) -> np.ndarray:
    """Uniform among the feasible, without repeats."""
    pool = lookup.feasible
    return np.random.default_rng(seed).choice(pool, min(lookup.evaluations, len(pool)), replace=False)


def evolution(lookup: Lookup, seed: int) -> np.ndarray:
    """Regularized evolution (Real et al. 2019, arXiv:1802.01548): population 20, tournament 5, children feasible."""
    table, rng, options = lookup.table, np.random.default_rng(seed), lookup.table.options
    allowed, picked = set(lookup.feasible.tolist()), rng.choice(lookup.feasible, 20, replace=False).tolist()
    while len(picked) < lookup.evaluations:
        entrants = rng.choice(picked[-20:], 5, replace=False)
        parent = table.codes[max(entrants, key=lambda i: table.accuracy[i])]
        for _ in range(100):
            child, slot = parent.copy(), int(rng.integers(len(parent)))
            child[slot] = (child[slot] + rng.integers(1, options[slot])) % options[slot]
            row = table.index[tuple(child.tolist())]
            if row in allowed:
                break
        else:
            row = int(rng.choice(lookup.feasible))
        picked.append(row)
    return np.array(picked[: lookup.evaluations])


def from_optuna(make: Callable[[int], optuna.samplers.BaseSampler]) -> Search:
    """A search by an Optuna sampler over categories, with Optuna's soft constraints."""

    def search(lookup: Lookup, seed: int) -> np.ndarray:
        table, picked, options = lookup.table, [], lookup.table.options.tolist()
        directions = [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE][: 1 + lookup.is_double]
        study = optuna.create_study(directions=directions, sampler=make(seed))
        for _ in range(lookup.evaluations):
            trial = study.ask()
            row = table.index[tuple(trial.suggest_categorical(f"s{j}", list(range(m))) for j, m in enumerate(options))]
            if np.isfinite(lookup.limit):
                trial.set_constraint("cost", float(table.cost[row] / lookup.limit - 1))
            values = [float(table.accuracy[row]), float(table.cost[row])][: 1 + lookup.is_double]
            study.tell(trial, values)
            picked.append(row)
        return np.array(picked)

    return search


def surrogate(is_listed: bool) -> Search:
    """Ours. Candidates of a proposal are all networks that are left if `is_listed`, as in any study of a space as small
    (pool.LISTED), else sampled as in a study of a large one."""

    def search(lookup: Lookup, seed: int) -> np.ndarray:
        table, rng, picked = lookup.table, np.random.default_rng(seed), []
        values = np.stack([-table.accuracy, table.cost], axis=1)[:, : 1 + lookup.is_double]
        for _ in range(min(lookup.evaluations, len(lookup.feasible))):
            fresh = np.setdiff1d(lookup.feasible, picked) if is_listed else sampled(lookup, picked, values, rng)
            rows = np.concatenate([np.array(picked, int), fresh])
            known = np.stack([np.full(len(rows), np.nan), table.cost[rows]], axis=1)[:, : 1 + lookup.is_double]
            encoding = encode(table.forms[rows], costs=table.counts[rows], parts=table.parts[rows])
            best = rank(encoding, np.arange(len(picked)), values[picked], rng, known=known)[0]
            picked.append(int(rows[best]))
        return np.array(picked)

    return search


def sampled(lookup: Lookup, picked: list[int], values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Half random, half one to three changes away from the best; feasible, and none picked before."""
    table, options = lookup.table, lookup.table.options
    left = np.setdiff1d(lookup.feasible, picked)
    if len(picked) < first_random(len(options)):
        return rng.choice(left, min(SIZE, len(left)), replace=False)
    drawn = rng.choice(left, min(SIZE // 2, len(left)), replace=False)
    best = np.array(picked)[by_rank(values[picked])[:PARENTS]]
    codes = table.codes[best[(len(best) * rng.random(SIZE // 2) ** 2).astype(int)]]
    keys = rng.random(codes.shape)
    last = np.sort(keys, axis=1)[np.arange(len(codes)), rng.integers(0, 3, len(codes))]
    codes = np.where(keys <= last[:, None], (codes + rng.integers(1, options, codes.shape)) % options, codes)
    near = [table.index[tuple(row)] for row in codes.tolist()]
    return np.union1d(drawn, np.intersect1d(near, left))


SEARCHES: dict[str, Search] = {
    "random feasible": random_feasible,
    "regularized evolution": evolution,
    "NSGA-II": from_optuna(lambda seed: optuna.samplers.NSGAIISampler(population_size=20, seed=seed)),
    "TPE": from_optuna(lambda seed: optuna.samplers.TPESampler(multivariate=True, seed=seed)),
    "ours": surrogate(is_listed=True),
    "ours, sampled candidates": surrogate(is_listed=False),
}
# Evaluations of the first experiment; slow samplers get fewer, and need fewer.
LONG = {"random feasible": 200, "regularized evolution": 200, "NSGA-II": 200, "TPE": 100}
