"""Numbers with units, as space files have them."""

import pytest

from search.config.fields import limit

LATENCIES = [(2, 2.0), ("2", 2.0), ("2ms", 2.0), ("0.5 ms", 0.5), ("300us", 0.3), ("300 µs", 0.3), ("0.01s", 10.0)]
NONE = ["5m", "2k", "fast", float("nan"), True]
COUNTS = [("200k", 200e3), ("1.5M", 1.5e6), ("400kB", 400e3), ("2 MiB", 2**21)]


@pytest.mark.parametrize(("written", "ms"), LATENCIES)
def test_a_latency_limit_is_in_ms_or_says_its_unit(written: object, ms: float) -> None:
    assert limit("latency_ms@here", written) == pytest.approx(ms)


@pytest.mark.parametrize("written", NONE)
def test_what_is_no_latency_is_none(written: object) -> None:
    assert limit("latency_ms@here", written) is None


@pytest.mark.parametrize(("written", "number"), COUNTS)
def test_other_limits_count_in_thousands(written: str, number: float) -> None:
    assert limit("params", written) == number
    assert limit("params", "2ms") is None
