"""What is expected at the end of a training, and how sure that is."""

import math
import random

from search.fidelities.outlook import outlook

EXACT = (0.2, 0.2, 0.2)


def test_a_loss_is_expected_to_fall_by_the_factor_by_which_the_others_fell() -> None:
    _, expected, _ = outlook("loss", EXACT, [(0.4, 0.2), (0.1, 0.05)], [(1.0, 0.4), (1.1, 0.4)])
    assert math.isclose(expected, 0.1)


def test_an_accuracy_is_expected_to_rise_by_the_points_by_which_the_others_rose() -> None:
    _, expected, _ = outlook("accuracy", (0.8, 0.8, 0.8), [(0.7, 0.75), (0.5, 0.55)], [(0.5, 0.6), (0.5, 0.7)])
    assert math.isclose(expected, 0.85)


def test_with_nothing_to_learn_from_everything_is_possible() -> None:
    low, expected, high = outlook("loss", EXACT, [], [(1.0, 0.4)])
    assert (low, expected, high) == (0.0, 0.2, math.inf)


def test_few_images_keep_the_interval_wide_however_alike_the_shifts_are() -> None:
    alike = [(1.0, 0.5), (0.8, 0.4), (0.6, 0.3)]
    sharp = outlook("loss", EXACT, alike, alike)
    blurred = outlook("loss", (0.1, 0.2, 0.4), alike, alike)
    assert math.isclose(sharp[0], sharp[2])
    assert math.isclose(blurred[2] / blurred[0], 4.0)


def test_the_interval_holds_nine_in_ten_of_new_networks() -> None:
    rng, inside, rounds = random.Random(0), 0, 2000
    for _ in range(rounds):
        pairs = [(1.0, math.exp(rng.gauss(-1, 0.3))) for _ in range(9)]
        (_, truth), *known = pairs
        low, _, high = outlook("loss", (1.0, 1.0, 1.0), known[:3], known[3:])
        inside += low <= truth <= high
    assert 0.88 < inside / rounds < 0.92
