"""What known devices say of a new one before it is measured: a normal prior over the weights of its latency.

    latency = scale * (1 + w . z) * (1 + noise)        z: standardised features that add up over a network
    w ~ N(m, a D D' + b m m' + g t I)

m is the mean of the known devices' weights, the columns of D their differences from it (the low rank in which devices
are known to differ), t the mean square of these: a mix of the known devices, bent along m, and a little in every other
direction. Latency, not its logarithm, is linear, because a network's latency is about the sum of its layers'.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search.latency.predictors import LEAST_SHARE, ridge

OFFSET = 0.25  # variance of the relative latency at the centre: the scale is known only from the measurements


@dataclass(frozen=True)
class DeviceTable:
    """What was measured on one device: features (n, F) and latencies_ms (n,).

    hardware: devices that share a piece of hardware share this name, and are left out together in rehearsals.
    """

    hardware: str
    features: np.ndarray
    latencies_ms: np.ndarray


@dataclass(frozen=True)
class Spread:
    """How far a new device may be from the known ones: along their differences, their mean, and anywhere; and the
    variance of one measurement's relative error."""

    differences: float
    mean: float
    anywhere: float
    noise: float


CHOOSING = Spread(1.0, 0.3, 0.1, 0.01)  # before anything is known of the new device


@dataclass(frozen=True)
class Prior:
    """What the known devices say of a new one's weights: their mean (F,), their differences (F, S), and the mean
    square of these."""

    mean: np.ndarray
    differences: np.ndarray
    size: float

    def covariance(self, spread: Spread) -> np.ndarray:
        """(F, F)"""
        along = spread.differences * self.differences @ self.differences.T
        return along + spread.mean * np.outer(self.mean, self.mean) + spread.anywhere * self.size * np.eye(len(along))


def prior_of(known: Sequence[DeviceTable]) -> Prior:
    """The prior from devices whose features are standardised alike. Never of size 0, even from a single device."""
    weights = np.stack([_relative_weights(table) for table in known])
    shares = shares_of([table.hardware for table in known])
    mean = shares @ weights
    differences = np.sqrt(shares)[:, None] * (weights - mean)
    return Prior(mean, differences.T, float((differences**2).sum(0).mean() + 1e-2 * (mean**2).mean() + 1e-9))


def shares_of(names: Sequence[str]) -> np.ndarray:
    """Weights that add up to 1, the same for every piece of hardware, however many devices it stands for."""
    counts = np.array([names.count(name) for name in names])
    return 1 / counts / len(set(names))


def _relative_weights(table: DeviceTable) -> np.ndarray:
    """A known device's weights, as shares of its latency at the centre (z = 0)."""
    fit = ridge(table.features, table.latencies_ms, np.ones(len(table.latencies_ms)))
    return fit.weights / max(fit.intercept, LEAST_SHARE * float(table.latencies_ms.mean()))


@dataclass(frozen=True)
class Posterior:
    """latency in ms = centre_ms + weights . z."""

    centre_ms: float
    weights: np.ndarray
    residuals: np.ndarray  # leave-one-out, log(measured / predicted)

    def predict(self, z: np.ndarray) -> np.ndarray:
        """(N, F) standardised features -> (N,) ms, all positive."""
        return np.maximum(self.centre_ms + z @ self.weights, LEAST_SHARE * self.centre_ms)


def posterior_of(prior: Prior, spread: Spread, z: np.ndarray, latencies_ms: np.ndarray) -> Posterior:
    """Bayesian linear regression with noise in proportion to the expected latency; leave-one-out in closed form
    (Rasmussen & Williams 2006, eq. 5.12)."""
    expected = np.maximum(1 + z @ prior.mean, LEAST_SHARE)
    unit_ms = float(np.exp(np.log(latencies_ms / expected).mean()))
    covariance = prior.covariance(spread)
    gram = z @ covariance @ z.T + OFFSET + np.diag(spread.noise * expected**2)
    inverse = np.linalg.inv(gram)
    alpha = inverse @ (latencies_ms / unit_ms - 1 - z @ prior.mean)
    weights = prior.mean + covariance @ (z.T @ alpha)
    centre_ms = unit_ms * max(1 + OFFSET * float(alpha.sum()), LEAST_SHARE)
    left_out = np.maximum(latencies_ms - unit_ms * alpha / np.diag(inverse), LEAST_SHARE * centre_ms)
    return Posterior(centre_ms, weights * unit_ms, np.log(latencies_ms / left_out))


def spread_out(prior: Prior, z: np.ndarray, count: int) -> list[int]:
    """Rows of z (N, F), in order, each of which leaves the least mean variance of the relative latency over all rows.

    Depends on the known devices and on features alone. Source: Cohn 1996, Neural Networks 9(6), greedily.
    """
    relative = np.maximum(1 + z @ prior.mean, LEAST_SHARE)[:, None]
    root = np.linalg.cholesky(prior.covariance(CHOOSING) + 1e-12 * np.eye(z.shape[1]))
    g = np.concatenate([z @ root, np.full((len(z), 1), math.sqrt(OFFSET))], axis=1) / relative
    covariance, chosen = g @ g.T, []
    for _ in range(min(count, len(z))):
        gain = (covariance**2).sum(0) / (np.diag(covariance) + CHOOSING.noise)
        gain[chosen] = -1.0
        chosen.append(int(gain.argmax()))
        column = covariance[:, chosen[-1]]
        covariance = covariance - np.outer(column, column) / (column[chosen[-1]] + CHOOSING.noise)
    return chosen
