"""A new device from ten measurements: better than without other devices, with an honest interval, and blind choices."""

from dataclasses import fields
from itertools import pairwise

import numpy as np
import pytest

from search.latency.device_prior import DeviceTable
from search.latency.predictors import LatencyModel, fit_latency
from search.latency.transfer import choose, fit_transfer

FEATURES = 12


def devices(count: int, rng: np.random.Generator, networks: int = 120, noise: float = 0.05) -> list[DeviceTable]:
    """Devices on which a network costs the sum of its parts, and which differ from each other in two directions."""
    shared, directions = rng.uniform(0.5, 1.5, FEATURES), 0.3 * rng.normal(size=(2, FEATURES))
    found = []
    for number in range(count):
        costs = rng.uniform(0.2, 20.0) * np.maximum(shared + rng.normal(size=2) @ directions, 0.05)
        features = rng.integers(0, 6, (networks, FEATURES)).astype(float)
        latencies = (1.0 + features) @ costs * np.exp(noise * rng.normal(size=networks))
        found.append(DeviceTable(f"device {number}", features, latencies))
    return found


def split(device: DeviceTable, rows: list[int]) -> tuple[DeviceTable, DeviceTable]:
    """The rows that are measured, and the others."""
    others = np.setdiff1d(np.arange(len(device.latencies_ms)), rows)
    one, other = (DeviceTable(device.hardware, device.features[r], device.latencies_ms[r]) for r in (rows, others))
    return one, other


def errors(model: LatencyModel, of: DeviceTable) -> np.ndarray:
    told = np.array([model.predict_ms(row)[0] for row in of.features])
    return np.abs(np.log(told / of.latencies_ms))


def test_other_devices_make_ten_measurements_say_more() -> None:
    rng, gains = np.random.default_rng(0), []
    for _ in range(8):
        *others, new = devices(6, rng)
        known, rest = split(new, choose(others, new.features, 10))
        alone = fit_latency(list(known.features), known.latencies_ms.tolist())
        assert alone is not None
        told_alone = np.array([alone.predict_ms(row)[0] for row in rest.features])
        told = errors(fit_transfer(others, known.features, known.latencies_ms), rest)
        gains.append(np.median(np.abs(np.log(told_alone / rest.latencies_ms))) / np.median(told))
    assert np.median(gains) > 1.25


@pytest.mark.parametrize("count", [10, 30])
def test_intervals_hold_about_nine_of_ten_networks_of_a_new_device(count: int) -> None:
    rng, inside = np.random.default_rng(1), []
    for _ in range(12):
        *others, new = devices(6, rng, noise=0.1)
        known, rest = split(new, choose(others, new.features, count))
        model = fit_transfer(others, known.features, known.latencies_ms)
        inside += [float((errors(model, rest) <= model.half).mean())]
    assert 0.84 < np.mean(inside) < 0.96


def test_a_device_like_no_other_gets_a_wider_interval() -> None:
    *others, new = devices(6, np.random.default_rng(2))
    strange = DeviceTable("strange", new.features, np.exp(np.random.default_rng(3).normal(size=len(new.features))))
    rows = choose(others, new.features, 10)
    plain, wide = (
        fit_transfer(others, known.features, known.latencies_ms)
        for known in (split(device, rows)[0] for device in (new, strange))
    )
    assert wide.half > 2 * plain.half


def test_networks_chosen_to_be_measured_say_more_than_random_ones() -> None:
    rng, won = np.random.default_rng(4), []
    for _ in range(10):
        *others, new = devices(6, rng)
        picks = choose(others, new.features, 8), rng.choice(len(new.features), 8, replace=False).tolist()
        told = []
        for rows in picks:
            known, rest = split(new, rows)
            told.append(np.mean(errors(fit_transfer(others, known.features, known.latencies_ms), rest)))
        won.append(told[0] < told[1])
    assert sum(won) >= 7


def test_chosen_networks_are_different_and_a_longer_choice_begins_with_the_shorter() -> None:
    others = devices(4, np.random.default_rng(5))
    candidates = others[0].features[:40]
    chosen = [choose(others, candidates, count) for count in (5, 10, 40, 60)]
    assert all(len(set(rows)) == len(rows) for rows in chosen)
    assert all(longer[: len(shorter)] == shorter for shorter, longer in pairwise(chosen))
    assert sorted(chosen[-1]) == list(range(40))


def test_one_known_device_is_enough() -> None:
    known, new = devices(2, np.random.default_rng(6))
    mine, rest = split(new, choose([known], new.features, 10))
    model = fit_transfer([known], mine.features, mine.latencies_ms)
    assert np.median(errors(model, rest)) < 0.25
    assert 0 < model.half < 2


def test_settings_of_one_piece_of_hardware_count_once_and_are_left_out_together() -> None:
    *others, new = devices(5, np.random.default_rng(7))
    rows = choose(others, new.features, 10)
    known, _ = split(new, rows)
    twice = [*others, others[0]]
    one, other = (fit_transfer(sources, known.features, known.latencies_ms) for sources in (others, twice))
    assert np.allclose(one.weights, other.weights, rtol=0.02)
    assert one.half == pytest.approx(other.half, rel=0.05)


def test_latencies_may_span_any_unit() -> None:
    *others, new = devices(4, np.random.default_rng(8))
    known, rest = split(new, choose(others, new.features, 10))
    one = fit_transfer(others, known.features, known.latencies_ms)
    other = fit_transfer(others, known.features, 1000 * known.latencies_ms)
    for row in rest.features[:5]:
        assert other.predict_ms(row)[0] == pytest.approx(1000 * one.predict_ms(row)[0], rel=1e-9)


def test_no_network_is_predicted_to_take_no_time() -> None:
    *others, new = devices(4, np.random.default_rng(9))
    known, _ = split(new, choose(others, new.features, 10))
    value, low, high = fit_transfer(others, known.features, known.latencies_ms).predict_ms(np.full(FEATURES, -1e3))
    assert 0 < low < value < high


def test_a_feature_that_never_varies_does_no_harm() -> None:
    tables = [
        DeviceTable(d.hardware, np.column_stack([d.features, np.ones(len(d.features))]), d.latencies_ms)
        for d in devices(4, np.random.default_rng(10))
    ]
    known, rest = split(tables[-1], choose(tables[:-1], tables[-1].features, 10))
    assert np.median(errors(fit_transfer(tables[:-1], known.features, known.latencies_ms), rest)) < 0.2


def test_without_another_device_the_remedy_is_named() -> None:
    with pytest.raises(ValueError, match="fit_latency"):
        fit_transfer([], np.zeros((10, FEATURES)), np.ones(10))


def test_a_model_is_plain_numbers_and_arrays() -> None:
    *others, new = devices(3, np.random.default_rng(11))
    model = fit_transfer(others, new.features[:10], new.latencies_ms[:10])
    kinds = {field.name: type(getattr(model, field.name)) for field in fields(model)}
    assert all(kinds[name] is np.ndarray for name in ("centre", "scale", "weights"))
    assert all(kinds[name] in (float, int) for name in ("centre_ms", "half", "n"))
