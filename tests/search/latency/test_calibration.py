"""How good the predictions were, from pairs of what was told and what the device said."""

import pytest

from search.latency.calibration import calibrate
from search.report.summary import Quantity


def pair(told: float, measured: float, half: float = 0.08) -> tuple[Quantity, Quantity]:
    return Quantity(told, told * (1 - half), told * (1 + half), "predicted"), Quantity(
        measured, measured, measured, "measured"
    )


def test_shares_are_counted_against_the_measurement() -> None:
    found = calibrate([pair(1.0, 1.04), pair(2.0, 2.15), pair(3.0, 2.9), pair(4.0, 6.0)])
    assert found is not None
    assert (found.n, found.within_5, found.within_10, found.in_interval) == (4, 0.5, 0.75, 0.75)
    assert found.rank == pytest.approx(1.0)
    assert found.low == 3


def test_too_few_pairs_say_nothing() -> None:
    assert calibrate([pair(1.0, 1.0)] * 2) is None


def test_equal_predictions_rank_nothing() -> None:
    found = calibrate([pair(1.0, measured) for measured in (1.0, 2.0, 3.0)])
    assert found is not None
    assert found.rank == 0.0


def test_the_sentence_says_every_number() -> None:
    found = calibrate([pair(1.0, 1.04), pair(2.0, 2.15), pair(3.0, 2.9), pair(4.0, 6.0)])
    assert found is not None
    for number in (
        "4 networks",
        "50 % of the predictions within 5 %",
        "75 % within 10 %",
        "correlation 1.00",
        "3 pred",
    ):
        assert number in found.sentence
