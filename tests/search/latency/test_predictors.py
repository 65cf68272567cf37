"""The latency predictor: finds the law, says how sure it is, and says nothing on too little."""

import numpy as np
import pytest

from search.latency.predictors import COVERAGE, LEAST, LatencyModel, fit_latency

WEIGHTS = np.array([0.7, 0.2, 0.4, 0.0])


def measured(n: int, noise: float, rng: np.random.Generator) -> tuple[list[np.ndarray], list[float]]:
    """Features and the latencies in ms of a sum with relative noise."""
    x = rng.uniform(0, 2, size=(n, 4))
    return list(x), ((x @ WEIGHTS + 0.1) * np.exp(noise * rng.normal(size=n))).tolist()


def fitted(n: int, noise: float, rng: np.random.Generator) -> LatencyModel:
    model = fit_latency(*measured(n, noise, rng))
    assert model is not None
    return model


def test_a_sum_is_recovered() -> None:
    rng = np.random.default_rng(0)
    model = fitted(40, 0.0, rng)
    for features, latency in zip(*measured(20, 0.0, rng), strict=True):
        assert model.predict_ms(features)[0] == pytest.approx(latency, rel=0.02)


def test_the_weights_say_which_feature_matters() -> None:
    weights = fitted(200, 0.05, np.random.default_rng(0)).weights
    assert np.argsort(-weights).tolist() == [0, 2, 1, 3]


def test_intervals_of_20_measurements_hold_about_nine_of_ten_new_latencies() -> None:
    rng, inside = np.random.default_rng(0), []
    for _ in range(60):
        model = fitted(20, 0.1, rng)
        for features, latency in zip(*measured(20, 0.1, rng), strict=True):
            _, low, high = model.predict_ms(features)
            inside.append(low <= latency <= high)
    assert COVERAGE - 0.07 < np.mean(inside) < COVERAGE + 0.07


def test_the_interval_is_around_the_prediction_and_wider_where_noise_is() -> None:
    quiet, noisy = (fitted(30, noise, np.random.default_rng(0)) for noise in (0.02, 0.3))
    value, low, high = noisy.predict_ms(np.ones(4))
    assert low < value < high
    assert noisy.half > 3 * quiet.half
    assert noisy.error > 9 * quiet.error


def test_fewer_than_8_measurements_predict_nothing() -> None:
    rng = np.random.default_rng(0)
    assert LEAST == 8
    assert fit_latency(*measured(7, 0.1, rng)) is None
    assert fit_latency(*measured(8, 0.1, rng)) is not None


def test_a_feature_that_never_varies_does_no_harm() -> None:
    features, latencies = measured(30, 0.0, np.random.default_rng(0))
    model = fit_latency([np.append(x, 3.0) for x in features], latencies)
    assert model is not None
    assert np.isfinite(model.predict_ms(np.append(features[0], 3.0))).all()


def test_intervals_hold_even_where_features_outnumber_measurements() -> None:
    """Residuals of one penalty chosen by all measurements would hold 82 % instead of 90."""
    rng, inside = np.random.default_rng(1), []
    for _ in range(40):
        x = rng.uniform(0, 2, size=(60, 24))
        y = (x @ np.linspace(0.05, 0.5, 24) + 0.1) * np.exp(0.03 * rng.normal(size=60))
        model = fit_latency(list(x[:20]), y[:20].tolist())
        assert model is not None
        told = np.array([model.predict_ms(row)[1:] for row in x[20:]])
        inside.append(((told[:, 0] <= y[20:]) & (y[20:] <= told[:, 1])).mean())
    assert COVERAGE - 0.06 < np.mean(inside) < COVERAGE + 0.06


def test_relative_errors_count_so_small_networks_are_not_sacrificed() -> None:
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.uniform(0, 0.1, (30, 4)), rng.uniform(5, 10, (30, 4))])
    y = (x @ WEIGHTS + 0.01) * np.exp(0.05 * rng.normal(size=60))
    model = fit_latency(list(x), y.tolist())
    assert model is not None
    errors = [abs(np.log(model.predict_ms(row)[0] / ms)) for row, ms in zip(x[:30], y[:30], strict=True)]
    assert np.median(errors) < 0.3
