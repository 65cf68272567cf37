"""The latency predictor of a new device from about ten measurements, with what other devices have in common.

The new device's weights are the posterior of `device_prior`, in closed form. How far it may be from the known devices
is chosen by rehearsals, in which each known piece of hardware is treated as if it were new, and never by the new device
itself; the errors of the rehearsals give the interval. studies/benchmarks/latency_transfer.py holds out real devices.

Sources: a linear model with a learned prior is that of Minka & Picard 1997, "Learning how to learn is learning with
point sets"; few-shot latency from other devices is the task of Lee et al. 2021 (HELP), arXiv:2106.08630, who train a
meta-learned network for it.
"""

import math
from collections.abc import Sequence

import numpy as np

from search.latency.device_prior import DeviceTable, posterior_of, prior_of, spread_out
from search.latency.predictors import LEAST_SHARE, LatencyModel, fit_latency
from search.latency.rehearsals import half_width, rehearse

FEW = 10  # measurements that a new device's first model should have; see `choose`
FEWEST = 5  # with fewer, rehearsals are no guide


def fit_transfer(sources: Sequence[DeviceTable], rows: np.ndarray, latencies_ms: np.ndarray) -> LatencyModel:
    """The model of a device of which features, rows (n, F), and latencies_ms (n,) are known, n about 10.

    sources: other devices with the same F features. Raises ValueError without any. Cost: 0.2 s for 8 devices of 900
    networks and 6 features.
    """
    if not sources:
        raise ValueError(
            "transfer needs at least one other device. Use search.latency.predictors.fit_latency without one."
        )
    centre, scale = _standard(sources)
    known = [_standardised(source, centre, scale) for source in sources]
    z = (rows - centre) / scale
    spread, rehearsals = rehearse(known, len(z))
    posterior = posterior_of(prior_of(known), spread, z, latencies_ms)
    half = half_width(posterior.residuals, rehearsals)
    return LatencyModel(
        posterior.centre_ms, centre, scale, posterior.weights, LEAST_SHARE * posterior.centre_ms, half, len(z),
        posterior.residuals, len(sources),
    )  # fmt: skip


def best_model(
    sources: Sequence[DeviceTable], rows: Sequence[np.ndarray], latencies_ms: Sequence[float]
) -> LatencyModel | None:
    """The model of a device that is best on its own measurements, each predicted from the others: with what the other
    devices know, or from nothing but these. None while there are too few for either."""
    alone = fit_latency(rows, latencies_ms)
    if not sources or len(latencies_ms) < FEWEST:
        return alone
    helped = fit_transfer(sources, np.stack(rows), np.asarray(latencies_ms, dtype=float))
    return helped if alone is None or helped.error < alone.error else alone


def choose(sources: Sequence[DeviceTable], candidates: np.ndarray, count: int = FEW) -> list[int]:
    """Rows of `candidates` (N, F) to measure on a new device, in order: each leaves the least uncertainty about all.

    See `spread_out`: nothing that the new device answers is looked at. Cost: count * N^2.
    """
    centre, scale = _standard(sources)
    prior = prior_of([_standardised(source, centre, scale) for source in sources])
    return spread_out(prior, (candidates - centre) / scale, count)


def _standard(sources: Sequence[DeviceTable]) -> tuple[np.ndarray, np.ndarray]:
    """Centre and scale of the features, over all that was measured anywhere."""
    rows = np.concatenate([source.features for source in sources])
    scale = rows.std(0) * math.sqrt(rows.shape[1])  # so that |z| is about 1 however many features there are
    return rows.mean(0), np.where(scale > 1e-9, scale, 1.0)


def _standardised(source: DeviceTable, centre: np.ndarray, scale: np.ndarray) -> DeviceTable:
    return DeviceTable(source.hardware, (source.features - centre) / scale, source.latencies_ms)
