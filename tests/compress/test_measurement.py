"""A number never travels without its interval."""

import math

import pytest

from compress.measurement import Measurement, exact


def test_an_exact_quantity_has_no_spread() -> None:
    size = exact("size_bytes", 1234, "B", "ab")
    assert (size.low, size.value, size.high, size.kind, size.artifact) == (1234, 1234, 1234, "exact", "ab")


@pytest.mark.parametrize(("low", "value", "high"), [(2.0, 1.0, 3.0), (0.0, 4.0, 3.0), (0.0, math.nan, 1.0)])
def test_an_interval_that_does_not_hold_its_value_is_refused(low: float, value: float, high: float) -> None:
    with pytest.raises(ValueError, match="`low <= value <= high` must hold for latency_ms"):
        Measurement("latency_ms", value, "ms", low, high, "measured")
