"""A cost that was not measured: ridge regression on the space's features, in log space, with an honest interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
LEAST = 8  # fewer measurements than that predict nothing
COVERAGE = 0.9


@dataclass(frozen=True)
class LatencyModel:
    """log latency = mean + weights . (features - centre) / scale.

    half: half width of the 90 % interval in log space, from leave-one-out residuals. Plain arrays: nothing to unpickle.
    """

    mean: float
    centre: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    half: float
    n: int
    penalty: float
    residuals: np.ndarray  # leave-one-out, in log space

    def predict_ms(self, features: np.ndarray) -> tuple[float, float, float]:
        """(latency, low, high) in ms for one architecture's features, with a 90 % interval."""
        log = self.mean + float(self.weights @ ((features - self.centre) / self.scale))
        return float(np.exp(log)), float(np.exp(log - self.half)), float(np.exp(log + self.half))

    @property
    def typical_error(self) -> float:
        """Median leave-one-out error, relative: 0.05 means 5 %."""
        return float(np.expm1(np.median(np.abs(self.residuals))))


def fit_latency(features: Sequence[np.ndarray], latencies_ms: Sequence[float]) -> LatencyModel | None:
    """The model whose penalty has the least squared leave-one-out error; None with fewer than 8 measurements.

    Cost: see `ridge`.
    """
    if len(latencies_ms) < LEAST:
        return None
    x, y = np.stack(features), np.log(np.asarray(latencies_ms))
    centre, scale = x.mean(0), x.std(0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    z, target = (x - centre) / scale, y - y.mean()
    fit = ridge(z, target)
    rank = min(1.0, COVERAGE * (1 + 1 / len(y)))  # the conformal quantile of the leave-one-out residuals
    half = float(np.quantile(np.abs(fit.residuals), rank))
    return LatencyModel(float(y.mean()), centre, scale, fit.weights, half, len(y), fit.penalty, fit.residuals)


@dataclass(frozen=True)
class Ridge:
    """weights (F,), the penalty, and the leave-one-out residuals (n,)."""

    weights: np.ndarray
    penalty: float
    residuals: np.ndarray


def ridge(z: np.ndarray, target: np.ndarray) -> Ridge:
    """Ridge regression of target (n,) on z (n, F), both centred, with the penalty of least leave-one-out error.

    Cost: one singular value decomposition, under a millisecond for a few hundred rows. Leave-one-out residuals are
    closed form, e_i / (1 - h_i) with the hat matrix's diagonal h (Hastie et al. 2009, eq. 7.64).
    """
    u, s, vt = np.linalg.svd(z, full_matrices=False)
    best: tuple[float, Ridge] | None = None
    for penalty in PENALTIES:
        shrink = s**2 / (s**2 + penalty * len(target))
        hat = (u**2 * shrink).sum(1) + 1 / len(target)
        residuals = (target - u @ (shrink * (u.T @ target))) / np.maximum(1 - hat, 1e-3)
        error = float((residuals**2).mean())
        if best is None or error < best[0]:
            weights = vt.T @ (shrink / np.maximum(s, 1e-12) * (u.T @ target))
            best = error, Ridge(weights, penalty, residuals)
    assert best is not None
    return best[1]
