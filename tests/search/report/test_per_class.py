"""Whether the shipped network is good for each class is told wherever its accuracy is."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from compress.confusion import Confusion, confusion_of
from search.report.comparison import best_shipped, models
from search.report.page import report_html
from search.report.per_class import class_lines
from search.report.telling import study_text, study_tree
from search.state.confusions import KIND
from search.state.recorded import Event, Recorded


def answering(done: Recorded, confusion: Confusion) -> Recorded:
    shipped = best_shipped(models(done))
    assert shipped is not None
    data = {"variant": shipped.id, "split": "test"} | confusion.tree()
    others = (event for event in done.events if event.kind != KIND)
    return replace(done, events=(*others, Event(9999, datetime.now(UTC), "info", KIND, "", data)))


def of_classes(names: list[str], each: int = 20) -> Confusion:
    """Of the n-th class n examples in a row, at most `each`, are answered as the next one."""
    labels = [number for number in range(len(names)) for _ in range(each)]
    answers = [(y + 1) % len(names) if place % each < y else y for place, y in enumerate(labels)]
    return confusion_of(labels, answers, names)


def test_a_few_classes_are_all_told_with_the_most_frequent_confusions_in_words(done: Recorded) -> None:
    told = study_text(done)
    assert "each class, on 360 test examples" in told and "0  100.0 % [90.4, 100.0]  36 of 36" in told
    assert "4 of 36 `8` are answered `1`; 2 of 36 `3` are answered `5`." in told and "Balanced" not in told


def test_of_many_classes_the_worst_five_are_told(done: Recorded) -> None:
    many = answering(done, of_classes([f"word {number}" for number in range(13)]))
    told = class_lines(many, models(many))
    assert told[1] == "the worst 5 of 13 classes, on 260 test examples"
    assert [line.split("  ")[1] for line in told[2:7]] == [f"word {number}" for number in (12, 11, 10, 9, 8)]
    assert told[7].startswith("  12 of 20 `word 12` are answered `word 0`")


def test_balanced_accuracy_is_told_only_where_classes_are_uneven(done: Recorded) -> None:
    uneven = confusion_of([0] * 90 + [1] * 10, [0] * 95 + [1] * 5, ["walk", "run"])
    said = "Balanced accuracy, the mean recall, is 75.0 % beside an accuracy of 95.0 %"
    poor = answering(done, uneven)
    assert said in study_text(poor) and said in report_html(poor)
    assert study_tree(poor)["per_class"][0]["balanced_accuracy"] == 0.75


def test_as_json_all_classes_and_confusions_of_both_parts_are_told(done: Recorded) -> None:
    test, validation = study_tree(done)["per_class"]
    assert (test["split"], validation["split"]) == ("test", "validation") and test["all_confusions"]
    assert sum(row["n"] - row["right"] for row in test["classes"]) == sum(m["n"] for m in test["confusions"]) == 7
    eight = test["classes"][8]
    assert eight["class"] == "8" and eight["low"] < eight["recall"] == 32 / 36 < eight["high"]


def test_the_report_shows_counts_with_heads_a_screen_reader_reads_and_names_as_text(done: Recorded) -> None:
    page = report_html(answering(done, of_classes(["<b>no</b>", "yes"])))
    assert "<h2>Each class</h2>" in page and "<b>no" not in page
    assert page.count('<th scope="row">&lt;b&gt;no&lt;/b&gt;</th>') == 1
    assert "<caption>True class by row, answered class by column</caption>" in page


@pytest.mark.parametrize(("classes", "cells"), [(24, 24 * 24), (25, 0)])
def test_the_matrix_of_many_classes_gives_way_to_the_worst_ones(done: Recorded, classes: int, cells: int) -> None:
    page = report_html(answering(done, of_classes([str(number) for number in range(classes)], each=40)))
    matrix = [page.count(f'<td class="{kind}"') for kind in ("hit", "miss", "none")]
    assert sum(matrix) == cells and ("Confused most" in page) is (cells == 0)


def test_a_class_without_examples_and_a_study_of_an_older_version_are_shown_too(done: Recorded) -> None:
    partly = answering(done, confusion_of([0, 0], [0, 0], ["seen", "never"]))
    assert "no examples" in report_html(partly) and "Every answer is right." in study_text(partly)
    older = replace(done, events=tuple(event for event in done.events if event.kind != KIND))
    assert "each class" not in study_text(older) and "Each class" not in report_html(older)
    assert study_tree(older)["per_class"] == []
