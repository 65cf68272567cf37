"""What is measured of a search, and how it is written down."""

from __future__ import annotations

import numpy as np
from nas_tables import Lookup, Table
from searches import LONG, Search

BUDGETS = (0.02, 0.05, 0.2)  # limits that so many of the networks keep
STEPS, STEPS_DOUBLE = 60, 50


def numbers(table: Table, name: str, search: Search, seed: int) -> dict[str, float]:
    """Every number of one seed of one search on one table."""
    free = Lookup(table, np.inf, False, LONG.get(name, STEPS))
    picked = search(free, seed)
    curve = regret(free, picked)
    hits = np.flatnonzero(curve <= table.close + 1e-9)
    found = {
        f"evaluations to {table.close:.2g}": float(hits[0] + 1) if len(hits) else np.inf,
        "regret at 25": float(curve[24]),
        "regret at 50": float(curve[49]),
    }
    repeats, infeasible = STEPS - len(set(picked[:STEPS].tolist())), 0
    for share in BUDGETS:
        limited = Lookup(table, float(np.quantile(table.cost, share)), False, STEPS)
        picked = search(limited, seed)
        found[f"regret at 60, {share:.0%} budget"] = float(regret(limited, picked)[-1])
        infeasible += int((table.cost[picked] > limited.limit).sum())
        repeats += len(picked) - len(set(picked.tolist()))
    if name != "regularized evolution":  # which knows one objective
        picked = search(Lookup(table, np.inf, True, STEPS_DOUBLE), seed)
        found["hypervolume at 50"] = hypervolume(table, picked) / hypervolume(table, np.arange(len(table.codes)))
        repeats += len(picked) - len(set(picked.tolist()))
    return found | {"repeats": float(repeats), "infeasible": float(infeasible)}


def regret(lookup: Lookup, picked: np.ndarray) -> np.ndarray:
    """Points below the best feasible after each evaluation; the whole range while none was feasible."""
    accuracy = np.where(lookup.table.cost <= lookup.limit, lookup.table.accuracy, 0.0)
    curve = accuracy[lookup.feasible].max() - np.maximum.accumulate(accuracy[picked])
    return np.pad(curve, (0, lookup.evaluations - len(curve)), mode="edge")


def hypervolume(table: Table, picked: np.ndarray) -> float:
    """Area that the picked rows dominate above the reference's accuracy and below its cost."""
    (best, most), area = table.reference, 0.0
    for row in picked[np.argsort(table.cost[picked], kind="stable")]:
        accuracy, cost = float(table.accuracy[row]), float(table.cost[row])
        if accuracy > best and cost < most:
            area, best = area + (accuracy - best) * (most - cost), accuracy
    return area


def cell(values: np.ndarray) -> str:
    """Median, its 95 % bootstrap interval, and the mean. Infinite is `never`; the upper median keeps it so."""
    draws = np.sort(np.random.default_rng(0).choice(values, (2000, len(values))), axis=1)
    low, high = np.sort(draws[:, len(values) // 2])[[49, 1949]]
    middle = np.sort(values)[len(values) // 2]
    return f"{_text(middle)} [{_text(low)}, {_text(high)}] mean {_text(values.mean())}"


def _text(value: float) -> str:
    return f"{value:.3g}" if np.isfinite(value) else "never"
