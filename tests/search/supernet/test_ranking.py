"""Kendall's tau with its interval, against scipy's and by hand."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import kendalltau

from search.supernet.ranking import ranking

RNG = np.random.default_rng(0)
TRUTH = RNG.standard_normal(60)
NOISY = np.round(TRUTH + RNG.standard_normal(60), 1)  # with ties
COSTS = RNG.random(60)


def tau_b(one: np.ndarray, other: np.ndarray) -> float:
    found: Any = kendalltau(one, other)
    return float(found.statistic)


def test_overall_and_top_are_scipys_tau_b() -> None:
    found, best = ranking(NOISY, TRUTH, COSTS), np.argsort(-TRUTH)[:12]
    assert found.overall.value == pytest.approx(tau_b(NOISY, TRUTH))
    assert found.top.value == pytest.approx(tau_b(NOISY[best], TRUTH[best]))


def test_at_like_cost_is_the_mean_over_fifths_so_that_cost_itself_ranks_nothing() -> None:
    fifths = np.array_split(np.argsort(COSTS), 5)
    expected = np.mean([tau_b(NOISY[rows], TRUTH[rows]) for rows in fifths])
    assert ranking(NOISY, TRUTH, COSTS).alike.value == pytest.approx(expected)
    classes = np.repeat([1.0, 2, 3, 4, 5], 12)
    assert np.isnan(ranking(classes, classes + 0.01 * RNG.random(60), classes).alike.value)


def test_the_interval_is_that_of_resampled_networks() -> None:
    drawn = [RNG.integers(0, 60, 60) for _ in range(400)]
    low, high = np.percentile([tau_b(NOISY[rows], TRUTH[rows]) for rows in drawn], [2.5, 97.5])
    found = ranking(NOISY, TRUTH, COSTS).overall
    assert found.low == pytest.approx(low, abs=0.03) and found.high == pytest.approx(high, abs=0.03)


def test_a_perfect_order_is_one_and_a_reversed_one_minus_one() -> None:
    assert ranking(TRUTH, TRUTH, COSTS).overall.value == pytest.approx(1)
    assert ranking(-TRUTH, TRUTH, COSTS).overall.value == pytest.approx(-1)


def test_networks_without_a_score_are_left_out() -> None:
    holes = np.where(np.arange(60) < 10, np.nan, NOISY)
    assert ranking(holes, TRUTH, COSTS) == ranking(NOISY[10:], TRUTH[10:], COSTS[10:])


def test_a_score_that_is_the_same_for_all_ranks_nothing() -> None:
    found = ranking(np.ones(60), TRUTH, COSTS)
    assert np.isnan(found.overall.value) and str(found.overall) == "-"
