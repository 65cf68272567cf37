"""Which two networks are stitched."""

import pytest

from search.errors import LatheError, NotFound, UsageError
from search.state.records import VariantRecord
from search.stitching.anchors import Anchor, choose_anchors


def anchor(id: int, name: str, accuracy: float, latency_ms: float | None, loss: float = 0.1) -> Anchor:
    record = VariantRecord("a" * 64, "winner", "distill", {}, "float32", "accepted", id=id)
    return Anchor(name, record, accuracy, loss, latency_ms)


FAST, MIDDLE, BEST = anchor(1, "21", 0.9, 0.01), anchor(2, "hand-made", 0.95, 0.02), anchor(3, "7", 0.99, 0.04)
FOUND = {each.name: each for each in (FAST, MIDDLE, BEST)}


def test_the_fastest_and_the_most_accurate_are_stitched_unless_others_are_named() -> None:
    assert choose_anchors(FOUND, "", "", "s") == (FAST, BEST)
    assert choose_anchors(FOUND, "hand-made", "", "s") == (MIDDLE, BEST)
    assert choose_anchors(FOUND, "", "hand-made", "s") == (FAST, MIDDLE)


def test_of_equally_accurate_networks_the_one_with_the_smaller_loss_is_taken() -> None:
    better = anchor(4, "9", 0.99, 0.05, loss=0.05)
    assert choose_anchors(FOUND | {"9": better}, "", "", "s")[1] == better


@pytest.mark.parametrize(
    ("small", "large", "kind", "words"),
    [
        ("7", "7", UsageError, "is both"),
        ("7", "21", UsageError, "must be the faster one"),
        ("8", "", NotFound, "has trained no network '8'"),
        ("", "handmade", NotFound, "Did you mean 'hand-made'?"),
    ],
)
def test_a_bad_choice_is_one_message_that_lists_what_there_is(
    small: str, large: str, kind: type[LatheError], words: str
) -> None:
    with pytest.raises(kind, match=words) as raised:
        choose_anchors(FOUND, small, large, "s")
    assert "21 (90.0 %, 0.01 ms), hand-made (95.0 %, 0.02 ms), 7 (99.0 %, 0.04 ms)" in str(raised.value)


def test_where_the_fastest_network_is_the_most_accurate_there_is_nothing_between() -> None:
    with pytest.raises(UsageError, match="is the fastest network and the most accurate one"):
        choose_anchors({"21": anchor(1, "21", 0.99, 0.01), "7": anchor(2, "7", 0.9, 0.02)}, "", "", "s")


def test_one_trained_network_is_not_enough() -> None:
    with pytest.raises(NotFound, match="joins two trained networks, and study 's' has 1. Finish it with"):
        choose_anchors({"21": FAST}, "", "", "s")
