"""Known devices treated in turn as if they were new: how far to trust them, and how far off the predictions will be."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from search.latency.device_prior import (
    CHOOSING,
    DeviceTable,
    Prior,
    Spread,
    posterior_of,
    prior_of,
    shares_of,
    spread_out,
)
from search.latency.predictors import COVERAGE, conformal

OWN_WORD = 20  # so many measurements of its own speak for a device's interval
TRUST = 5.0  # the other devices' typical error weighs as much as so many measurements of the new one
SPREADS = tuple(
    Spread(*values) for values in itertools.product((0.3, 1.0, 3.0), (0.03, 0.3), (0.01, 0.1, 1.0), (0.001, 0.01, 0.03))
)


@dataclass(frozen=True)
class Rehearsal:
    """One known device treated as new: leave-one-out residuals of its few networks, errors on all others, in logs."""

    hardware: str
    residuals: np.ndarray
    errors: np.ndarray
    spread_of_logs: float

    @property
    def error(self) -> float:
        """Mean squared error as a share of the variance: devices of any range count alike."""
        return float((self.errors**2).mean()) / self.spread_of_logs


def rehearse(known: Sequence[DeviceTable], count: int) -> tuple[Spread, list[Rehearsal]]:
    """The spread that serves the known devices best, each fitted from `count` networks and the other hardware; and a
    rehearsal of each with the spread that the others alone would choose, since a device that helped to choose the
    spread would flatter it. A default and no rehearsals where no device can be spared."""
    names = list(dict.fromkeys(table.hardware for table in known))
    runs: dict[Spread, list[Rehearsal]] = {spread: [] for spread in SPREADS}
    for name in names if len(names) > 1 else []:
        prior = prior_of([table for table in known if table.hardware != name])
        for table in known:
            if table.hardware == name and len(table.latencies_ms) >= 2 * count:
                for spread, rehearsal in _rehearsals(prior, table, count):
                    runs[spread].append(rehearsal)
    names = [run.hardware for run in runs[SPREADS[0]]]
    judged = [runs[_best(runs, leave_out=name)][i] for i, name in enumerate(names)]
    return _best(runs), judged


def _best(runs: Mapping[Spread, Sequence[Rehearsal]], leave_out: str = "") -> Spread:
    """The spread of least mean error over the hardware but one."""

    def error(spread: Spread) -> float:
        counted = [run for run in runs[spread] if run.hardware != leave_out]
        return float(shares_of([run.hardware for run in counted]) @ [run.error for run in counted]) if counted else 0.0

    return min(SPREADS, key=lambda spread: (error(spread), spread != CHOOSING))


def _rehearsals(prior: Prior, table: DeviceTable, count: int) -> Iterator[tuple[Spread, Rehearsal]]:
    chosen = spread_out(prior, table.features, count)
    rest = np.setdiff1d(np.arange(len(table.latencies_ms)), chosen)
    logs = np.log(table.latencies_ms[rest])
    for spread in SPREADS:
        posterior = posterior_of(prior, spread, table.features[chosen], table.latencies_ms[chosen])
        errors = np.abs(logs - np.log(posterior.predict(table.features[rest])))
        yield spread, Rehearsal(table.hardware, posterior.residuals, errors, float(logs.var()) + 1e-9)


def half_width(residuals: np.ndarray, rehearsals: Sequence[Rehearsal]) -> float:
    """Half width of the interval, in logs, that holds nine of ten networks.

    With rehearsals: split conformal over devices. A rehearsal's errors, divided by how well its few measurements were
    foreseen without themselves, are the scores; the quantile of all scores times the new device's own such scale is the
    half width. Without any, or from 20 measurements of its own on: the quantile of its own residuals.
    """
    if not rehearsals or len(residuals) >= OWN_WORD:
        return conformal(np.abs(residuals))
    shares = shares_of([run.hardware for run in rehearsals])
    typical = float(shares @ [(run.errors**2).mean() for run in rehearsals])

    def scale(own: np.ndarray) -> float:
        return math.sqrt((float((own**2).sum()) + TRUST * typical) / (len(own) + TRUST))

    scores = np.concatenate([run.errors / scale(run.residuals) for run in rehearsals])
    weights = np.concatenate(
        [np.full(len(run.errors), share / len(run.errors)) for run, share in zip(rehearsals, shares, strict=True)]
    )
    order = np.argsort(scores)
    place = int(np.searchsorted(np.cumsum(weights[order]), COVERAGE))
    return float(scores[order][min(place, len(order) - 1)]) * scale(residuals)
