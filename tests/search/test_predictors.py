"""The latency predictor: finds the law, says how sure it is, and says nothing on too little."""

import numpy as np
import pytest

from search.predictors import COVERAGE, LEAST, LatencyModel, fit_latency

WEIGHTS = np.array([0.7, -0.2, 0.4, 0.0])


def measured(n: int, noise: float, rng: np.random.Generator) -> tuple[list[np.ndarray], list[float]]:
    """Features and the latencies in ms of a log-linear law with relative noise."""
    x = rng.normal(size=(n, 4))
    return list(x), np.exp(x @ WEIGHTS - 1 + noise * rng.normal(size=n)).tolist()


def fitted(n: int, noise: float, rng: np.random.Generator) -> LatencyModel:
    model = fit_latency(*measured(n, noise, rng))
    assert model is not None
    return model


def test_a_log_linear_law_is_recovered() -> None:
    rng = np.random.default_rng(0)
    model = fitted(40, 0.0, rng)
    for features, latency in zip(*measured(20, 0.0, rng), strict=True):
        assert model.predict_ms(features)[0] == pytest.approx(latency, rel=0.1)


def test_the_weights_say_which_feature_matters() -> None:
    weights = fitted(200, 0.05, np.random.default_rng(0)).weights
    assert np.argsort(-np.abs(weights)).tolist() == [0, 2, 1, 3]


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
    value, low, high = noisy.predict_ms(np.zeros(4))
    assert low < value < high
    assert noisy.half > 3 * quiet.half
    assert noisy.typical_error > quiet.typical_error


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
