"""The terms of a Gaussian process's kernel over architectures: what makes two of them alike.

Source: exponential Hamming kernel, Ru et al., Bayesian Optimisation over Multiple Continuous and Categorical Inputs
(2020), arXiv:1906.08878.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

AMPLITUDE, LENGTH, NOISE = np.log(0.3), 0.0, np.log(0.03)  # prior medians; targets have unit variance


@dataclass(frozen=True)
class Block:
    """One term of the kernel: `design` (n, d); linear k = a z.z', else k = a exp(-|z - z'|^2 / l)."""

    design: np.ndarray
    linear: bool


def distances(blocks: tuple[Block, ...], left: np.ndarray, right: np.ndarray) -> list[np.ndarray]:
    """What each term needs between rows `left` and `right` of the designs, each (left, right): z.z' or |z - z'|^2."""
    return [_distance(block, block.design[left], block.design[right]) for block in blocks]


def _distance(block: Block, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    product = a @ b.T
    if block.linear:
        return product
    product *= -2
    product += (a * a).sum(1)[:, None]
    product += (b * b).sum(1)[None, :]
    return np.maximum(product, 0, out=product)


def kernel(
    blocks: tuple[Block, ...], between: list[np.ndarray], theta: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Sum of the terms and its derivatives by the log parameters (noise excluded)."""
    total, gradients, at = np.zeros_like(between[0]), [], 0
    for block, distance in zip(blocks, between, strict=True):
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


def covariance(blocks: tuple[Block, ...], between: list[np.ndarray], theta: np.ndarray) -> np.ndarray:
    """Sum of the terms without derivatives, with one array of scratch: pools are large."""
    total, scratch, at = np.zeros_like(between[0]), np.empty_like(between[0]), 0
    for block, distance in zip(blocks, between, strict=True):
        if block.linear:
            np.multiply(distance, np.exp(theta[at]), out=scratch)
            at += 1
        else:
            np.multiply(distance, -np.exp(-theta[at + 1]), out=scratch)
            scratch += theta[at]
            np.exp(scratch, out=scratch)
            at += 2
        total += scratch
    return total


def variance(blocks: tuple[Block, ...], rows: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """(m,) the kernel of each row with itself."""
    total, at = np.zeros(len(rows)), 0
    for block in blocks:
        scale = np.exp(theta[at])
        total += scale * (block.design[rows] ** 2).sum(1) if block.linear else scale
        at += 1 if block.linear else 2
    return total


def prior(blocks: tuple[Block, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Normal prior (mean, deviation) of the log parameters, noise last."""
    mean, deviation = [], []
    for block in blocks:
        mean += [AMPLITUDE] if block.linear else [AMPLITUDE, LENGTH]
        deviation += [1.5] if block.linear else [1.5, 1.0]
    return np.array([*mean, NOISE]), np.array([*deviation, 1.0])
