"""Quality, its intervals, and what a drop in accuracy is worth."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from compress.evaluate import Quality, accuracy_drop, evaluate, quality_of
from tests.toy_task import CLASSES, toy_data


def answers(right: int, wrong: int) -> Quality:
    correct = np.array([True] * right + [False] * wrong)
    return Quality(np.where(correct, 0.1, 2.0), correct, np.where(correct, 0, 1))


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    # Wilson score interval at 95 %, e.g. Newcombe 1998, table I (81 of 263, 15 of 148, 0 of 20, 1 of 29)
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),
    ],
)
def test_the_interval_of_an_accuracy_is_wilsons(right: int, n: int, low: float, high: float) -> None:
    found = answers(right, n - right).accuracy_interval
    assert found == (pytest.approx(low, abs=2e-4), pytest.approx(high, abs=2e-4))


def test_the_interval_of_a_loss_is_the_normal_one() -> None:
    losses = np.array([0.0, 1.0, 2.0, 3.0])
    quality = Quality(losses, losses < 2, np.zeros(4, np.int64))
    half = 1.96 * losses.std() / 2
    assert quality.loss == 1.5 and quality.accuracy == 0.5 and quality.n == 4
    assert quality.loss_interval == (pytest.approx(1.5 - half), pytest.approx(1.5 + half))


def test_losses_are_cross_entropies_also_for_large_logits() -> None:
    logits = torch.tensor([[1.0, 2.0, 3.0], [500.0, -500.0, 0.0], [0.0, 0.0, 0.0]])
    labels = torch.tensor([2, 1, 0])
    quality = quality_of(logits.numpy(), labels.numpy())
    np.testing.assert_allclose(quality.losses, cross_entropy(logits.double(), labels, reduction="none"), rtol=1e-12)
    assert quality.correct.tolist() == [True, False, True] and quality.answers.tolist() == [2, 0, 0]
    confusion = quality.confusion(labels.numpy(), "abc")
    assert confusion.rows() == [[1, 0, 0], [1, 0, 0], [0, 0, 1]] and confusion.accuracy == quality.accuracy


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_output_that_is_not_finite_is_an_error(value: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        quality_of(np.array([[0.0, value]]), np.array([0]))


def test_a_network_is_evaluated_in_eval_mode_on_normalised_images_whatever_the_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = toy_data()
    network = nn.Sequential(nn.Flatten(), nn.Dropout(0.9), nn.Linear(64, CLASSES)).train()
    at_once = evaluate(network, data, data.validation)
    monkeypatch.setattr("compress.evaluate.POSITIONS", 1)
    qualities = [at_once, evaluate(network, data, data.validation)]
    np.testing.assert_allclose(qualities[0].losses, qualities[1].losses, rtol=1e-5)
    with torch.no_grad():
        expected = network.eval()(data.normalise(data.validation.x))
    np.testing.assert_allclose(qualities[0].losses, quality_of(expected.numpy(), data.validation.y.numpy()).losses)


def paired(both: int, lost: int, gained: int, neither: int) -> tuple[Quality, Quality]:
    before = np.array([True] * (both + lost) + [False] * (gained + neither))
    after = np.array([True] * both + [False] * lost + [True] * gained + [False] * neither)
    first, second = (Quality(np.zeros(len(right)), right, np.where(right, 0, 1)) for right in (before, after))
    return first, second


def test_a_drop_is_positive_points_and_a_gain_negative() -> None:
    assert accuracy_drop(*paired(80, 6, 1, 13))[0] == pytest.approx(5.0)
    assert accuracy_drop(*paired(80, 1, 6, 13))[0] == pytest.approx(-5.0)
    assert accuracy_drop(*paired(90, 0, 0, 10)) == (0.0, 0.0, 0.0)


def test_pairing_narrows_the_interval() -> None:
    """The same two accuracies, once on nearly the same errors and once on different ones."""
    _, low, high = accuracy_drop(*paired(88, 2, 0, 10))
    _, wide_low, wide_high = accuracy_drop(*paired(78, 12, 10, 0))
    assert high - low < 0.5 * (wide_high - wide_low)
    assert low <= 2.0 <= high and wide_low < 0 < wide_high


def test_nine_in_ten_intervals_hold_the_true_drop() -> None:
    rng = np.random.default_rng(0)
    chances = [0.85, 0.07, 0.03, 0.05]  # of both right, lost, gained, both wrong: a true drop of 4 points
    held = 0
    for trial in range(200):
        _, low, high = accuracy_drop(*paired(*rng.multinomial(300, chances)), seed=trial, resamples=400)
        held += low <= 4.0 <= high
    assert 0.84 <= held / 200 <= 0.95


def test_the_same_seed_gives_the_same_interval() -> None:
    pair = paired(80, 6, 3, 11)
    assert accuracy_drop(*pair) == accuracy_drop(*pair) != accuracy_drop(*pair, resamples=50)


def test_qualities_on_different_images_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="got 10 and 11"):
        accuracy_drop(answers(5, 5), answers(5, 6))
