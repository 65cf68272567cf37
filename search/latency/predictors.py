"""A cost that was not measured: a linear model of the space's features, with an honest interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

PENALTIES = (1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0)
LEAST = 8  # fewer measurements than that predict nothing
LEAST_SHARE = 0.1  # nothing is predicted below this share of the least that was measured
COVERAGE = 0.9


@dataclass(frozen=True)
class LatencyModel:
    """latency in ms = centre_ms + weights . (features - centre) / scale.

    half: half width of the 90 % interval in log space. n: measurements of the device. residuals: of these, each
    predicted from the others, log(measured / predicted). known_devices: other devices it learned from. Plain arrays:
    nothing to unpickle.
    """

    centre_ms: float
    centre: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    least_ms: float
    half: float
    n: int
    residuals: np.ndarray
    known_devices: int = 0

    def predict_ms(self, features: np.ndarray) -> tuple[float, float, float]:
        """(latency, low, high) in ms for one architecture's features, with a 90 % interval."""
        value = max(self.centre_ms + float(self.weights @ ((features - self.centre) / self.scale)), self.least_ms)
        return value, value * math.exp(-self.half), value * math.exp(self.half)

    @property
    def error(self) -> float:
        """Mean squared leave-one-out error, in logs."""
        return float((self.residuals**2).mean())


def fit_latency(
    features: Sequence[np.ndarray], latencies_ms: Sequence[float], trusts: Sequence[np.ndarray] = ()
) -> LatencyModel | None:
    """Ridge regression in which relative errors count; None with fewer than 8 measurements.

    trusts: ways to look at the features, each with a factor for every one of them: 1 as it is, 0 not at all, 0.1 only
    where the data insist (a tenth of the scale is a hundred times the penalty). The one of least leave-one-out error
    is taken; all features as they are if none is given.

    The interval is the conformal quantile of what each measurement differs from its prediction by all others, for which
    penalty and way are chosen anew (jackknife; Barber et al. 2021, arXiv:1905.02928): with 20 measurements and 24
    features, residuals of one penalty chosen by all of them held 82 % instead of 90. Cost: n times `ridge` a way, 10 ms
    for 40.
    """
    if len(latencies_ms) < LEAST:
        return None
    x, y = np.stack(features), np.asarray(latencies_ms, dtype=float)
    ways = trusts or [np.ones(x.shape[1])]
    centre, scale, fit = _fit(x, y, ways)
    least_ms = LEAST_SHARE * float(y.min())
    residuals = np.array([_left_out(x, y, i, least_ms, ways) for i in range(len(y))])
    half = conformal(np.abs(residuals))
    return LatencyModel(fit.intercept, centre, scale, fit.weights, least_ms, half, len(y), residuals)


def _fit(x: np.ndarray, y: np.ndarray, ways: Sequence[np.ndarray]) -> "tuple[np.ndarray, np.ndarray, Ridge]":
    """Centre, scale and the ridge regression of the way with the least mean squared relative leave-one-out error."""
    centre, spread = x.mean(0), x.std(0)
    spread = np.where(spread > 1e-9, spread, 1.0)
    fits = [ridge((x - centre) / spread * trust, y, 1 / y**2) for trust in ways]
    best = min(range(len(ways)), key=lambda i: float(((fits[i].residuals / y) ** 2).mean()))
    return centre, spread, replace(fits[best], weights=fits[best].weights * ways[best])


def _left_out(x: np.ndarray, y: np.ndarray, i: int, least_ms: float, ways: Sequence[np.ndarray]) -> float:
    """log(measured / predicted) of the i-th measurement, which the fit does not know."""
    rest = np.arange(len(y)) != i
    centre, scale, fit = _fit(x[rest], y[rest], ways)
    return math.log(y[i] / max(fit.intercept + float(fit.weights @ ((x[i] - centre) / scale)), least_ms))


def conformal(errors: np.ndarray) -> float:
    """The size that a new error of the same kind exceeds once in ten times: (1 + 1/n) times the rank of 90 %."""
    return float(np.quantile(errors, min(1.0, COVERAGE * (1 + 1 / len(errors)))))


@dataclass(frozen=True)
class Ridge:
    """intercept, weights (F,), the penalty, and the leave-one-out residuals (n,) in the unit of the target."""

    intercept: float
    weights: np.ndarray
    penalty: float
    residuals: np.ndarray


def ridge(z: np.ndarray, target: np.ndarray, counts: np.ndarray) -> Ridge:
    """Ridge regression of target (n,) on z (n, F), with the penalty of least leave-one-out error.

    counts (n,): how much each squared error counts, in any unit. Cost: one singular value decomposition, under a
    millisecond for a few hundred rows. Leave-one-out residuals are closed form, e_i / (1 - h_i) with the hat matrix's
    diagonal h (Hastie et al. 2009, eq. 7.64).
    """
    share = counts / counts.sum()
    middle, mean = share @ z, float(share @ target)
    root = np.sqrt(share * len(target))
    u, s, vt = np.linalg.svd(root[:, None] * (z - middle), full_matrices=False)
    wanted = root * (target - mean)
    best: tuple[float, Ridge] | None = None
    for penalty in PENALTIES:
        shrink = s**2 / (s**2 + penalty * len(target))
        hat = (u**2 * shrink).sum(1) + share
        left_out = (wanted - u @ (shrink * (u.T @ wanted))) / np.maximum(1 - hat, 1e-3)
        error = float((left_out**2).mean())
        if best is None or error < best[0]:
            weights = vt.T @ (shrink / np.maximum(s, 1e-12) * (u.T @ wanted))
            best = error, Ridge(mean - float(weights @ middle), weights, penalty, left_out / root)
    assert best is not None
    return best[1]
