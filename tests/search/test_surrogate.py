"""The parts of the surrogate that only see numbers: the process, what a candidate promises, and the encoding."""

import numpy as np
import pytest

from search.objectives import hypervolume
from search.samplers.surrogate import ranking
from search.samplers.surrogate.acquisition import area_gained, expected_improvement, front, scalarise, warp
from search.samplers.surrogate.encoding import encode
from search.samplers.surrogate.gaussian_process import fit
from search.samplers.surrogate.kernels import Block, distances
from search.samplers.surrogate.ranking import _joined, first_random, rank

LINE = np.linspace(-3, 3, 61)[:, None]
SMOOTH = (Block(LINE, linear=False),)


def standard(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / values.std()


def test_the_posterior_passes_through_what_was_observed() -> None:
    seen = np.arange(0, 61, 6)
    targets = standard(np.sin(2 * LINE[seen, 0]))
    mean, _ = fit(SMOOTH, seen, targets).predict(seen)
    np.testing.assert_allclose(mean, targets, atol=0.1)


def test_the_posterior_interpolates_between_observations() -> None:
    seen, between = np.arange(0, 61, 4), np.arange(2, 59, 4)
    truth = np.sin(2 * LINE[:, 0])
    truth = (truth - truth[seen].mean()) / truth[seen].std()
    mean, _ = fit(SMOOTH, seen, truth[seen]).predict(between)
    np.testing.assert_allclose(mean, truth[between], atol=0.15)


def test_uncertainty_grows_with_the_distance_from_observations() -> None:
    seen = np.arange(20, 31)
    _, deviation = fit(SMOOTH, seen, standard(LINE[seen, 0] ** 2)).predict(np.array([30, 34, 40, 60]))
    assert (np.diff(deviation) > 0).all()


def test_the_deviation_holds_what_networks_that_look_the_same_differ_by() -> None:
    seen = np.tile(np.arange(0, 61, 6), 4)
    noise = 0.5 * np.random.default_rng(0).standard_normal(len(seen))
    _, deviation = fit(SMOOTH, seen, standard(np.sin(LINE[seen, 0]) + noise)).predict(seen)
    assert deviation.min() > 0.4  # of targets whose deviation is 1: nothing that is seen once more would lower it


def test_known_distances_predict_the_same() -> None:
    seen, asked = np.arange(0, 61, 6), np.array([1, 2, 50])
    posterior = fit(SMOOTH, seen, standard(LINE[seen, 0]))
    given = posterior.predict(asked, distances(SMOOTH, asked, seen))
    np.testing.assert_array_equal(given, posterior.predict(asked))


def test_expected_improvement_is_positive_grows_with_uncertainty_and_falls_with_the_mean() -> None:
    mean, deviation = np.array([0.0, 0.0, 1.0, 5.0]), np.array([0.1, 1.0, 1.0, 0.5])
    promise = expected_improvement(mean, deviation, best=0.0)
    assert (promise > 0).all()
    assert promise[1] > promise[0] and promise[1] > promise[2] > promise[3]


def test_expected_improvement_without_uncertainty_is_the_improvement() -> None:
    sure = expected_improvement(np.array([-2.0, 2.0]), np.array([1e-3, 1e-3]), best=0.0)
    np.testing.assert_allclose(sure, [2.0, 0.0], atol=1e-6)


def test_the_area_gained_is_the_growth_of_the_hypervolume() -> None:
    rng = np.random.default_rng(0)
    points, rows = rng.uniform(-0.2, 1.3, (200, 2)), rng.uniform(0, 1.1, (9, 2))
    best = rows[front(rows)]
    before = hypervolume(best.tolist(), (1, 1))
    grown = [hypervolume([*best.tolist(), point], (1, 1)) - before for point in points.tolist()]
    np.testing.assert_allclose(area_gained(points, best), grown, atol=1e-12)
    assert min(grown) == 0 < max(grown)


def test_a_front_grows_beyond_its_costliest_point_where_costs_are_known() -> None:
    cost = np.array([1, 2, 3, 4, 5, 6, 3.5, 9, 20])  # the last three are asked about; 20 ends the hypervolume
    loss, seen = 10 - cost, np.arange(6)
    known = np.stack([np.full(9, np.nan), cost], axis=1)
    encoding = encode(np.zeros((9, 0), int), costs=cost[:, None])
    values = np.stack([np.tile(loss[seen], 2), np.tile(cost[seen], 2)], axis=1)  # twice: past the random beginning
    assert rank(encoding, np.tile(seen, 2), values, np.random.default_rng(0), known)[0] == 7


def test_averaged_over_directions_the_scalarisation_ranks_by_hypervolume() -> None:
    rng = np.random.default_rng(0)
    weights = np.abs(rng.standard_normal((4000, 2))) + 1e-9
    weights /= np.linalg.norm(weights, axis=1)[:, None]
    sets = [np.array([[0.5, 0.5]]), np.array([[0.1, 0.1]]), np.array([[0.2, 0.9], [0.9, 0.2]])]
    areas = np.array([0.25, 0.81, 0.15])  # up to the reference (1, 1)
    mean = np.array([np.mean([scalarise(points, w).max() for w in weights]) for points in sets])
    np.testing.assert_allclose(mean * np.pi / 4, areas, rtol=0.05)  # the constant for two objectives


def test_the_scalarisation_is_nothing_beyond_the_reference() -> None:
    assert scalarise(np.array([[1.2, 0.1]]), np.array([0.6, 0.8])).item() == 0


def test_the_front_is_what_nothing_dominates() -> None:
    values = np.array([[1.0, 4.0], [2.0, 2.0], [2.0, 3.0], [4.0, 1.0], [5.0, 5.0]])
    assert front(values).tolist() == [True, True, False, True, False]


def test_warping_keeps_the_order_and_tames_an_outlier() -> None:
    values = np.array([1.0, 1.1, 1.3, 1.6, 500.0])
    warped = warp(values)
    assert (np.diff(warped) > 0).all()
    assert warped.mean() == pytest.approx(0) and warped.std() == pytest.approx(1)
    assert warped[-1] - warped[-2] < 3 * (warped[-2] - warped[0])


def test_an_unused_ordinal_has_no_levels_and_its_own_mark() -> None:
    codes = np.array([[0], [1], [2], [-1]])
    decisions = encode(codes, np.array([True])).decisions
    assert decisions[3, :-1].tolist() == [0, 0] and decisions[:, -1].tolist() == [0, 0, 0, 1]


def test_an_unused_category_has_no_option() -> None:
    decisions = encode(np.array([[0], [1], [-1]]), np.array([False])).decisions
    unused, *options = decisions.T  # in order of the codes
    assert unused.tolist() == [0, 0, 1]
    assert all(option[2] == 0 for option in options)


def test_the_extremes_of_an_ordinal_are_as_far_apart_as_two_categories() -> None:
    ordered = encode(np.array([[0], [1], [2]]), np.array([True])).decisions
    named = encode(np.array([[0], [1], [2]]), np.array([False])).decisions
    apart = ((ordered[0] - ordered[2]) ** 2).sum()
    assert apart == pytest.approx(((named[0] - named[2]) ** 2).sum())
    assert ((ordered[0] - ordered[1]) ** 2).sum() < apart


def test_a_constant_cost_is_no_feature() -> None:
    assert encode(np.array([[0], [1]]), costs=np.array([[1.0, 7.0], [2.0, 7.0]])).numbers.shape == (2, 1)


def test_ranking_finds_the_best_of_an_additive_law() -> None:
    rng = np.random.default_rng(0)
    codes = np.stack(np.meshgrid(*[np.arange(3)] * 6), -1).reshape(-1, 6)
    value = codes @ np.array([1.0, 0.5, 0.2, -0.3, 0.8, -0.6])
    encoding, picked = encode(codes), list(rng.choice(len(codes), first_random(6), replace=False))
    for _ in range(22):
        picked.append(rank(encoding, np.array(picked), value[picked, None], rng)[0])
    assert value.argmin() in picked
    assert len(set(picked)) == len(picked)


def test_an_objective_that_is_known_is_not_modelled() -> None:
    codes, rng = np.arange(40)[:, None] % 7, np.random.default_rng(0)
    cost = rng.random(40)
    seen = np.arange(10)
    order = rank(encode(codes), seen, cost[seen, None], rng, known=cost[:, None])
    assert order.tolist() == (10 + np.argsort(cost[10:])).tolist()


def test_of_two_alike_only_one_is_among_the_first_to_be_evaluated_together() -> None:
    codes, seen = np.arange(13)[:, None] % 7, np.arange(10)
    known = np.concatenate([np.ones((10, 2)), [[0.2, 0.6], [0.2, 0.6], [0.6, 0.3]]])
    orders = [
        rank(encode(codes), seen, known[seen], np.random.default_rng(0), known, np.array([1.0, 1.0]), together)
        for together in (1, 2)
    ]
    assert [sorted(order[:2].tolist()) for order in orders][0] == [10, 11]
    assert 12 in orders[1][:2] and len(set(orders[1][:2]) & {10, 11}) == 1


def test_asking_only_the_most_promising_again_chooses_the_same_together(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    codes, known = np.arange(160)[:, None] % 7, rng.random((160, 2))
    seen = np.arange(20)
    chosen = []
    for near in (ranking.SHORT, ranking.NEAR):
        monkeypatch.setattr(ranking, "NEAR", near)
        order = rank(encode(codes), seen, known[seen], np.random.default_rng(0), known, np.array([1.0, 1.0]), 12)
        chosen.append(order[:12].tolist())
    assert chosen[0] == chosen[1]


def test_a_front_that_a_point_joins_is_the_front_of_both() -> None:
    best = np.array([[1.0, 4.0], [2.0, 2.0], [4.0, 1.0]])
    for point in ([3.0, 3.0], [2.0, 2.0], [1.5, 1.5], [0.5, 5.0], [0.5, 0.5]):
        both = np.concatenate([best, [point]])
        assert sorted(_joined(best, np.array(point)).tolist()) == sorted(np.unique(both[front(both)], axis=0).tolist())
