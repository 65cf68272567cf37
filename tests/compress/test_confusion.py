"""A confusion matrix counts, of however many classes."""

import json
import random

import pytest

from compress.confusion import KEPT, WHOLE, Confusion, Mistake, confusion_of, wilson


def test_every_answer_is_counted_once_the_most_frequent_mistake_first() -> None:
    labels, answers = [0, 0, 0, 0, 1, 1, 3, 3], [0, 1, 1, 3, 1, 0, 3, 3]
    found = confusion_of(labels, answers, ["a", "b", "c", "d"])
    assert found.rows() == [[1, 2, 0, 1], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 2]]
    assert found.mistakes == (Mistake(0, 1, 2), Mistake(0, 3, 1), Mistake(1, 0, 1))
    assert found.n == 8 and found.accuracy == 0.5 and found.is_whole
    assert found.recall(0) == 0.25 and found.recall_interval(0) == wilson(0.25, 4)


def test_balanced_accuracy_is_the_mean_recall_of_the_classes_that_there_are_examples_of() -> None:
    found = confusion_of([0] * 8 + [1, 1], [0] * 8 + [1, 0], ["a", "b", "never seen"])
    assert found.asked == (0, 1) and found.accuracy == 0.9 and found.balanced_accuracy == 0.75


@pytest.mark.parametrize(("commonest", "uneven"), [(15, False), (16, True)])
def test_classes_are_uneven_from_one_and_a_half_times_the_fair_share_on(commonest: int, uneven: bool) -> None:
    labels = [0] * commonest + [1] * (20 - commonest)
    assert confusion_of(labels, labels, ["a", "b"]).is_uneven is uneven


@pytest.mark.parametrize(("classes", "whole"), [(WHOLE, True), (WHOLE + 1, False)])
def test_of_very_many_classes_only_the_most_frequent_mistakes_are_kept_and_all_counts(
    classes: int, whole: bool
) -> None:
    rng = random.Random(0)
    labels = [rng.randrange(classes) for _ in range(5000)]
    answers = [(label + 1) % classes if rng.random() < 0.2 else rng.randrange(classes) for label in labels]
    found = confusion_of(labels, answers, [str(number) for number in range(classes)])
    assert found.is_whole is whole and (len(found.mistakes) > KEPT) is whole
    assert found.n == 5000 and sum(found.right) == sum(a == b for a, b in zip(labels, answers, strict=True))
    assert min(mistake.n for mistake in found.mistakes[:50]) > found.mistakes[-1].n


def test_it_comes_back_from_json_as_it_was() -> None:
    found = confusion_of([0, 1, 1], [1, 1, 1], ["a", "b"])
    assert Confusion.of_tree(json.loads(json.dumps(found.tree()))) == found
