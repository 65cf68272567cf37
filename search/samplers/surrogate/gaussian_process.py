"""A small Gaussian process over architectures: additive, interaction and cost kernels, fitted by MAP.

Sources: marginal likelihood, Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), ch. 5;
exponential Hamming kernel, Ru et al., Bayesian Optimisation over Multiple Continuous and Categorical Inputs (2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, solve_triangular
from scipy.optimize import minimize

AMPLITUDE, LENGTH, NOISE = np.log(0.3), 0.0, np.log(0.03)  # prior medians; targets have unit variance
JITTER = 1e-6


@dataclass(frozen=True)
class Block:
    """One term of the kernel: `design` (n, d); linear k = a z.z', else k = a exp(-|z - z'|^2 / l)."""

    design: np.ndarray
    linear: bool


def _distance(block: Block, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    a, b = block.design[left], block.design[right]
    product = a @ b.T
    if block.linear:
        return product
    product *= -2
    product += (a * a).sum(1)[:, None]
    product += (b * b).sum(1)[None, :]
    return np.maximum(product, 0, out=product)


def _kernel(
    blocks: tuple[Block, ...], distances: list[np.ndarray], theta: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Sum of the terms and its derivatives by the log parameters (noise excluded)."""
    total, gradients, at = np.zeros_like(distances[0]), [], 0
    for block, distance in zip(blocks, distances, strict=True):
        if block.linear:
            term = np.exp(theta[at]) * distance
            gradients.append(term)
            at += 1
        else:
            scaled = distance * np.exp(-theta[at + 1])
            term = np.exp(theta[at] - scaled)
            gradients += [term, term * scaled]
            at += 2
        total += term
    return total, gradients


def _covariance(blocks: tuple[Block, ...], left: np.ndarray, right: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """The kernel between two index sets, without derivatives (in place: pools are large)."""
    total, at = np.zeros((len(left), len(right))), 0
    for block in blocks:
        distance = _distance(block, left, right)
        if block.linear:
            distance *= np.exp(theta[at])
            at += 1
        else:
            distance *= -np.exp(-theta[at + 1])
            distance += theta[at]
            np.exp(distance, out=distance)
            at += 2
        total += distance
    return total


def prior(blocks: tuple[Block, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Normal prior (mean, deviation) of the log parameters, noise last."""
    mean, deviation = [], []
    for block in blocks:
        mean += [AMPLITUDE] if block.linear else [AMPLITUDE, LENGTH]
        deviation += [1.5] if block.linear else [1.5, 1.0]
    return np.array([*mean, NOISE]), np.array([*deviation, 1.0])


@dataclass(frozen=True)
class Posterior:
    """A fitted process: log parameters, training rows, Cholesky factor and weights."""

    blocks: tuple[Block, ...]
    theta: np.ndarray
    rows: np.ndarray
    factor: np.ndarray
    weights: np.ndarray

    def predict(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation (each (m,)) of the noise-free target at `rows`; O(m n^2)."""
        cross = _covariance(self.blocks, rows, self.rows, self.theta)
        explained = solve_triangular(self.factor, cross.T, lower=True, check_finite=False)
        variance = self._variance(rows) - np.einsum("ij,ij->j", explained, explained)
        return cross @ self.weights, np.sqrt(np.maximum(variance, 1e-9))

    def _variance(self, rows: np.ndarray) -> np.ndarray:
        total, at = np.zeros(len(rows)), 0
        for block in self.blocks:
            scale = np.exp(self.theta[at])
            total += scale * (block.design[rows] ** 2).sum(1) if block.linear else scale
            at += 1 if block.linear else 2
        return total


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
    distances = [_distance(block, rows, rows) for block in blocks]
    identity = np.eye(len(rows))

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        kernel, gradients = _kernel(blocks, distances, theta)
        noise = np.exp(theta[-1])
        try:
            factor = np.linalg.cholesky(kernel + (noise + JITTER) * identity)
        except np.linalg.LinAlgError:
            return 1e10, np.zeros_like(theta)
        inverse = cho_solve((factor, True), identity, check_finite=False)
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
    kernel, _ = _kernel(blocks, distances, theta)
    factor = np.linalg.cholesky(kernel + (np.exp(theta[-1]) + JITTER) * identity)
    return Posterior(blocks, theta, rows, factor, cho_solve((factor, True), targets))
