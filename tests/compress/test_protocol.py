"""The measuring protocol on a clock that the test turns: what it visits, and what it makes of noise."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from compress.devices import DeviceError
from compress.devices.answers import measurements_of
from compress.devices.faster import compare
from compress.devices.protocol import (
    SESSION_SD,
    Samples,
    Sampling,
    bootstrap,
    disturbed_share,
    drift,
    over_sessions,
    quiet_latency,
    ratio,
)
from compress.measurement import Measurement
from compress.runner.sampling import sample, warm_up


class Machine:
    """A clock that advances by what each call costs; `load` slows calls down and may depend on the time."""

    def __init__(self, load: Callable[[float], float] = lambda now: 1.0) -> None:
        self.now, self.load, self.visits = 0.0, load, []

    def clock(self) -> float:
        return self.now

    def call(self, name: str, seconds: float) -> Callable[[], None]:
        def run() -> None:
            self.visits.append(name)
            self.now += seconds * self.load(self.now)

        return run


def take(machine: Machine, calls: list[Callable[[], None]], rounds: int = 30, visits: int = 5) -> list[Samples]:
    found = sample(calls, rounds, visits, 0, machine.clock, machine.clock)
    return [Samples(np.array(seconds), batch) for seconds, _, batch in found]


def test_every_call_is_visited_once_a_round_in_an_order_that_the_seed_decides() -> None:
    orders = []
    for seed in (0, 0, 1):
        machine = Machine()
        sample([machine.call(n, 1e-3) for n in "abc"], 20, 4, seed, machine.clock, machine.clock)
        visits = machine.visits[-20 * 3 * 4 :]
        rounds = [visits[i : i + 12 : 4] for i in range(0, len(visits), 12)]
        assert all(sorted(turn) == list("abc") for turn in rounds)
        assert all(len(set(visits[i : i + 4])) == 1 for i in range(0, len(visits), 4))  # back to back
        orders.append(rounds)
    assert orders[0] == orders[1] != orders[2]
    assert len({tuple(turn) for turn in orders[0]}) > 3


def test_short_calls_are_batched_until_a_sample_is_long_enough_and_long_ones_are_not() -> None:
    machine = Machine()
    short, long = take(machine, [machine.call("s", 10e-6), machine.call("l", 1e-3)], 4, 3)
    assert (short.batch, long.batch) == (20, 1)
    np.testing.assert_allclose(short.seconds, 10e-6, rtol=1e-6)
    assert short.seconds.shape == (4, 3)


def test_warming_up_goes_on_until_calls_are_stable_but_not_for_ever() -> None:
    cooling = Machine(load=lambda now: 1 + 5 * np.exp(-now / 0.01))
    assert warm_up(cooling.call("a", 1e-3), cooling.clock) == pytest.approx(1e-3, rel=0.05)
    assert len(cooling.visits) > 10
    steady = Machine()
    warm_up(steady.call("a", 1e-3), steady.clock)
    assert len(steady.visits) == 10
    generator = np.random.default_rng(0)
    wild = Machine(load=lambda now: float(generator.uniform(1, 100)))
    warm_up(wild.call("a", 1e-3), wild.clock)
    assert 0.5 < wild.now < 2


def test_the_headline_finds_the_quiet_latency_under_bursts_that_ruin_a_mean() -> None:
    generator = np.random.default_rng(1)
    machine = Machine(load=lambda now: 1 + (generator.random() < 0.4) * float(generator.exponential(5)))
    (found,) = take(machine, [machine.call("a", 1e-3)])
    headline = quiet_latency(found)
    assert headline.value == pytest.approx(1e-3, rel=0.01)
    assert headline.low <= headline.value <= headline.high
    assert found.seconds.mean() > 2e-3


def test_the_ratio_to_the_reference_survives_a_machine_that_slows_down_half_way() -> None:
    generator = np.random.default_rng(2)
    machine = Machine(load=lambda now: (2.0 if now > 0.3 else 1.0) * float(generator.uniform(1, 1.05)))
    one, other = take(machine, [machine.call("a", 1.1e-3), machine.call("b", 1e-3)])
    found = ratio(one, other)
    assert found.value == pytest.approx(1.1, rel=0.02)
    assert 1 < found.low <= found.value <= found.high < 1.2
    assert one.seconds.max() > 1.8 * one.seconds.min()


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    hits = 0
    for seed in range(200):
        values = np.random.default_rng(seed).normal(3.0, 1.0, 60)
        found = bootstrap(values, lambda x: np.median(x, axis=-1), seed)
        hits += found.low <= 3.0 <= found.high
    assert 0.90 <= hits / 200 <= 0.99


@pytest.mark.parametrize(("fields", "message"), [({"rounds": 1}, "at least 2, got 1"), ({"calls": 0}, "at least 1")])
def test_sampling_that_cannot_give_an_interval_is_refused(fields: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sampling(**fields)


def latency(seconds: np.ndarray, reference: np.ndarray, rounds_id: str, fingerprint: str = "f") -> Measurement:
    """A measurement as a device makes it, from (rounds, calls) seconds."""
    found, beside = Samples(seconds, 1), Samples(reference, 1)
    value, against = quiet_latency(found), ratio(found, beside)
    details = {"rounds_id": rounds_id, "reference": "r", "rounds": len(seconds)}
    details |= {"ratio": against.value, "ratio_low": against.low, "ratio_high": against.high}
    samples = (seconds * 1e3).astype("<f4").tobytes()
    return Measurement("latency_ms", value.value * 1e3, "ms", value.low * 1e3, value.high * 1e3, "measured",
                       fingerprint=fingerprint, samples=samples, details=details)  # fmt: skip


def rounds(scale: float, seed: int, shared: np.ndarray | float = 1.0, noise: float = 0.01) -> np.ndarray:
    return scale * shared * np.random.default_rng(seed).normal(1, noise, (30, 5))


def test_faster_is_said_of_clear_differences_only() -> None:
    load = np.random.default_rng(9).uniform(1, 3, (30, 1))  # what slows a round slows all in it
    reference = rounds(1e-3, 0, load)
    for scale, verdict in [(1e-3, "no difference shown"), (0.99e-3, "no difference shown"), (0.9e-3, "faster"),
                           (1.1e-3, "slower")]:  # fmt: skip
        first = latency(rounds(scale, 1, load), reference, "same")
        second = latency(rounds(1e-3, 2, load), reference, "same")
        found = compare(first, second)
        assert (found.verdict, found.paired) == (verdict, True)
        assert found.low <= found.ratio <= found.high
        assert found.ratio == pytest.approx(scale / 1e-3, rel=0.01)


def test_a_difference_smaller_than_the_noise_is_not_called_faster() -> None:
    first = latency(rounds(0.97e-3, 1, noise=0.3), rounds(1e-3, 0), "same")
    second = latency(rounds(1e-3, 2, noise=0.3), rounds(1e-3, 0), "same")
    assert compare(first, second).verdict == "no difference shown"


def test_measurements_of_two_visits_are_compared_through_their_common_reference() -> None:
    busy = 1.8  # the machine was busy during the second visit
    first = latency(rounds(0.9e-3, 1), rounds(1e-3, 3), "monday")
    second = latency(rounds(1e-3, 2, busy), rounds(1e-3, 4, busy), "tuesday")
    found = compare(first, second)
    assert (found.verdict, found.paired) == ("faster", False)
    assert found.ratio == pytest.approx(0.9, rel=0.02)


def test_latencies_of_different_devices_do_not_compare() -> None:
    one = latency(rounds(1e-3, 1), rounds(1e-3, 0), "same")
    other = latency(rounds(1e-3, 1), rounds(1e-3, 0), "same", fingerprint="another")
    with pytest.raises(ValueError, match="same device"):
        compare(one, other)


def test_an_interval_over_sessions_holds_the_truth_as_often_as_it_says_and_resampling_three_does_not() -> None:
    hits, resampled = 0, 0
    for seed in range(400):
        logs = np.random.default_rng(seed).normal(0.0, 0.01, 3)
        found = over_sessions(np.exp(logs).tolist())
        hits += found.low <= 1.0 <= found.high
        cluster = bootstrap(logs, lambda x: np.mean(x, axis=-1), seed)
        resampled += cluster.low <= 0.0 <= cluster.high
    assert 0.92 <= hits / 400 <= 0.98
    assert resampled / 400 < 0.85


def test_one_session_admits_that_another_one_would_differ() -> None:
    steady = Samples(np.full((30, 5), 1e-3), 1)
    found = quiet_latency(steady)
    assert found.low == pytest.approx(1e-3 * np.exp(-1.96 * SESSION_SD))
    assert found.high == pytest.approx(1e-3 * np.exp(1.96 * SESSION_SD))


def answer(wall: np.ndarray, busy: np.ndarray) -> dict:
    """A runner's answer for a reference and one file; wall and busy are (2, rounds, calls) seconds."""
    files = [
        {"seconds": w.tolist(), "busy_seconds": b.tolist(), "batch": 1, "notes": [], "engine": "onnxruntime"}
        for w, b in zip(wall, busy, strict=True)
    ]
    return {"files": files, "switches": 3, "stolen_s": 0.1, "load": 2.0}


def test_the_processors_clock_counts_where_the_processor_was_taken_away(tmp_path: Path) -> None:
    file = tmp_path / "a.onnx"
    file.write_bytes(b"x")
    busy = np.stack([rounds(1e-3, 0), rounds(1.2e-3, 1)])
    wall = busy * np.random.default_rng(2).uniform(1, 4, (2, 30, 1))  # away for a random while in every round
    assert disturbed_share(wall, busy) > 0.5
    assert disturbed_share(busy, busy) == 0
    (one,) = measurements_of(answer(wall, busy), [file], file, 1, "here", "f")
    assert one.details["clock"] == "processor"
    assert one.details["ratio"] == pytest.approx(1.2, rel=0.01)
    (several,) = measurements_of(answer(wall, busy), [file], file, 2, "here", "f")
    assert several.details["clock"] == "wall"  # several threads: their time on the processor is no latency
    (quiet,) = measurements_of(answer(busy, busy), [file], file, 1, "here", "f")
    assert quiet.details["clock"] == "wall"


def test_a_reference_that_changes_its_pace_is_noticed() -> None:
    steady, slowing = rounds(1e-3, 0), rounds(1e-3, 0)
    slowing[20:] *= 1.1
    assert abs(drift(Samples(steady, 1))) < 0.02
    assert drift(Samples(slowing, 1)) == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("broken", [{}, {"files": []}, {"files": [{"seconds": [[1.0]]}]}, {"files": "no"}])
def test_an_answer_that_is_none_is_refused(broken: dict, tmp_path: Path) -> None:
    file = tmp_path / "a.onnx"
    file.write_bytes(b"x")
    with pytest.raises(DeviceError, match="cannot be read"):
        measurements_of(broken, [file], file, 1, "here", "f")
    with pytest.raises(DeviceError, match="no such thing"):
        measurements_of({"error": "no such thing"}, [file], file, 1, "here", "f")
