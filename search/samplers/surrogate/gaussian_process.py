"""A small Gaussian process over architectures, its parameters the most probable ones (MAP).

Source: marginal likelihood and its derivatives, Rasmussen & Williams, Gaussian Processes for Machine Learning (2006),
chapter 5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, get_lapack_funcs, solve_triangular
from scipy.optimize import minimize

from search.samplers.surrogate.kernels import Block, covariance, distances, kernel, prior, variance

JITTER = 1e-6


@dataclass(frozen=True)
class Posterior:
    """A fitted process: log parameters, training rows, Cholesky factor and weights."""

    blocks: tuple[Block, ...]
    theta: np.ndarray
    rows: np.ndarray
    factor: np.ndarray
    weights: np.ndarray

    def predict(self, rows: np.ndarray, between: list[np.ndarray] | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation (each (m,)) of what an evaluation of `rows` will show; O(m n^2).

        What the decisions do not explain, the noise, is in the deviation: an architecture is evaluated once and keeps
        its value, so it is a part of what it is worth. `between`: the distances from `rows` to the training rows, where
        they are known already.
        """
        between = distances(self.blocks, rows, self.rows) if between is None else between
        cross = covariance(self.blocks, between, self.theta)
        explained = solve_triangular(self.factor, cross.T, lower=True, check_finite=False)
        left = variance(self.blocks, rows, self.theta) - np.einsum("ij,ij->j", explained, explained)
        return cross @ self.weights, np.sqrt(np.maximum(left, 1e-9) + np.exp(self.theta[-1]))


def fit(
    blocks: tuple[Block, ...],
    rows: np.ndarray,
    targets: np.ndarray,
    start: np.ndarray | None = None,
    iterations: int = 15,
) -> Posterior:
    """Fit `targets` (n,), zero mean and unit variance, at `rows` of the designs.

    `start` continues from the log parameters of an earlier fit; 0 iterations keep them. O(iterations n^3).
    """
    mean, deviation = prior(blocks)
    between = distances(blocks, rows, rows)

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Minus the log posterior of the parameters, and its derivatives."""
        matrix, gradients = kernel(blocks, between, theta)
        noise = np.exp(theta[-1])
        try:
            factor = _factor(matrix, noise)
        except np.linalg.LinAlgError:
            return 1e10, np.zeros_like(theta)
        inverse = _inverse(factor)
        weights = inverse @ targets
        slope = np.outer(weights, weights) - inverse
        pull = (theta - mean) / deviation
        gradient = [-0.5 * np.vdot(slope, g) for g in gradients] + [-0.5 * noise * np.trace(slope)]
        value = 0.5 * targets @ weights + np.log(np.diag(factor)).sum() + 0.5 * pull @ pull
        return float(value), np.array(gradient) + pull / deviation

    theta = mean if start is None else start
    if iterations:
        bounds = list(zip(mean - 5, mean + 5, strict=True))
        found = minimize(loss, theta, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": iterations})
        theta = found.x
    factor = _factor(covariance(blocks, between, theta), np.exp(theta[-1]))
    return Posterior(blocks, theta, rows, factor, cho_solve((factor, True), targets, check_finite=False))


def _factor(matrix: np.ndarray, noise: float) -> np.ndarray:
    """Lower Cholesky factor of the matrix with noise on its diagonal. Raises LinAlgError if it has none."""
    matrix = matrix.copy()
    matrix.flat[:: len(matrix) + 1] += noise + JITTER
    return np.linalg.cholesky(matrix)


def _inverse(factor: np.ndarray) -> np.ndarray:
    """The inverse of a matrix from its lower Cholesky factor."""
    (potri,) = get_lapack_funcs(("potri",), (factor,))
    lower, _ = potri(factor, lower=1)  # leaves the zeros above the diagonal alone
    inverse = lower + lower.T
    inverse.flat[:: len(inverse) + 1] *= 0.5
    return inverse
