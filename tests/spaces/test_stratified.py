"""Parts of examples that hold every class in its share."""

import numpy as np
import pytest

from spaces.tasks.stratified import divided, drawn, sizes, split_indices


def labels_of(*counts: int, seed: int = 0) -> np.ndarray:
    """So many of each class, mixed."""
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))


def table_of(labels: np.ndarray, parts: list[np.ndarray]) -> list[list[int]]:
    """Examples of each class, a row a part."""
    return [np.bincount(labels[part], minlength=labels.max() + 1).tolist() for part in parts]


def test_every_class_is_divided_in_the_asked_share() -> None:
    labels = labels_of(1000, 100, 50, 10)
    assert table_of(labels, split_indices(labels, (0.1, 0.2), 0)) == [
        [100, 10, 5, 1],
        [200, 20, 10, 2],
        [700, 70, 35, 7],
    ]


@pytest.mark.parametrize("seed", range(40))
def test_parts_have_their_totals_and_every_class_that_is_large_enough_to_be_in_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts, fractions = rng.integers(0, 30, 6), (rng.uniform(0.1, 0.4), rng.choice([0, 0.2, 0.3]))
    labels = labels_of(*counts, 40, seed=seed)
    parts = split_indices(labels, fractions, seed)
    n, (validation, test) = len(labels), (round(fraction * len(labels)) for fraction in fractions)
    assert [len(part) for part in parts] == [validation, test, n - validation - test]
    assert sorted(np.concatenate(parts)) == list(range(n))
    filled = [row for row in np.array(table_of(labels, parts)) if row.sum()]
    are_enough = np.bincount(labels) >= len(filled)
    assert all((row[are_enough] > 0).all() and not row[~are_enough].any() for row in filled[:-1])
    assert (filled[-1][are_enough] > 0).all()


@pytest.mark.parametrize("seed", range(20))
def test_no_class_is_more_than_an_example_off_its_share_where_all_are_large(seed: int) -> None:
    counts = np.random.default_rng(seed).integers(40, 500, 8)
    labels = labels_of(*counts)
    for row, fraction in zip(table_of(labels, split_indices(labels, (0.1, 0.15), seed)), (0.1, 0.15), strict=False):
        assert np.abs(np.array(row) - counts * sum(row) / sum(counts)).max() < 1, fraction


def test_a_class_of_three_is_in_all_three_parts_and_one_of_two_is_to_train() -> None:
    labels = labels_of(60, 60, 3, 2, 1)
    validation, test, train = table_of(labels, split_indices(labels, (0.1, 0.1), 0))
    assert (validation[2:], test[2:], train[2:]) == ([1, 0, 0], [1, 0, 0], [1, 2, 1])
    validation, none, train = table_of(labels, split_indices(labels, (0.1, 0.0), 0))
    assert (validation[2:], sum(none), train[2:]) == ([1, 1, 0], 0, [2, 1, 1]), "without a test part two are enough"


def test_classes_that_are_all_too_small_still_fill_every_part_and_each_trains_one() -> None:
    labels = labels_of(*[2] * 20)
    validation, test, train = table_of(labels, split_indices(labels, (0.1, 0.1), 0))
    assert (sum(validation), sum(test), sum(train)) == (4, 4, 32) and min(train) == 1


def test_a_part_with_fewer_places_than_classes_has_one_of_each_of_the_commonest() -> None:
    labels = labels_of(30, 20, 10, 5, 5)
    validation, _, train = table_of(labels, split_indices(labels, (0.04, 0.1), 0))
    assert validation == [1, 1, 1, 0, 0] and min(train) > 0


def test_the_same_seed_gives_the_same_parts_and_another_seed_other_ones() -> None:
    labels = labels_of(50, 30, 20)
    one, same, other = (split_indices(labels, (0.2, 0.2), seed) for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(one, same, strict=True))
    assert all(set(a) != set(b) for a, b in zip(one, other, strict=True))


def test_how_many_of_a_class_a_part_gets_is_foreseen_from_the_counts_alone() -> None:
    counts = [17, 17, 17, 5, 2]
    labels = labels_of(*counts)
    for seed in range(10):
        foreseen = divided(np.array(counts), sizes(len(labels), (0.13, 0.11)), np.random.default_rng(seed))
        assert foreseen.T.tolist() == table_of(labels, split_indices(labels, (0.13, 0.11), seed))


def test_the_order_of_a_part_tells_nothing_of_classes() -> None:
    """The mean place of a class in a part is the middle, within 5 standard deviations of a random order's."""
    labels = np.repeat(np.arange(10), 400)  # a file that holds one class after the other
    for part in split_indices(labels, (0.2, 0.2), 0):
        places = np.arange(len(part)) / len(part)
        for label in range(10):
            mine = places[labels[part] == label]
            assert abs(mine.mean() - 0.5) < 5 * (1 / 12 / len(mine)) ** 0.5


def test_a_limit_keeps_shares_and_one_of_every_class_where_there_is_room() -> None:
    labels = labels_of(900, 90, 9, 1)
    rows = drawn(labels, 100)
    assert np.bincount(labels[rows]).tolist() == [89, 9, 1, 1] and (np.diff(rows) > 0).all()
    assert np.bincount(labels[drawn(labels, 3)], minlength=4).tolist() == [1, 1, 1, 0]
    assert (drawn(labels, 100) == rows).all() and len(drawn(labels, 0)) == len(drawn(labels, 5000)) == 1000
