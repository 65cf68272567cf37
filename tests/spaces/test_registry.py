"""Names, and what happens with wrong ones."""

from importlib import metadata

import pytest

from spaces.registry import Registry, UnknownName, nearest


def fruits() -> Registry[str]:
    registry: Registry[str] = Registry("fruit", "lathe.fruits")
    registry.register("pear")("a pear")
    registry.register("apple")("an apple")
    return registry


def test_what_is_registered_is_found() -> None:
    assert fruits().get("pear") == "a pear"
    assert fruits().names() == ["apple", "pear"]
    assert list(fruits().items()) == [("apple", "an apple"), ("pear", "a pear")]


def test_the_decorator_gives_back_what_it_decorates() -> None:
    assert fruits().register("plum")("a plum") == "a plum"


def test_an_unknown_name_is_answered_with_the_nearest_and_all_known() -> None:
    with pytest.raises(UnknownName, match=r"unknown fruit 'aple'\. Did you mean 'apple'\? Known: apple, pear\."):
        fruits().get("aple")


def test_nothing_is_suggested_where_nothing_is_near() -> None:
    with pytest.raises(UnknownName, match=r"unknown fruit 'zzz'\. Known: apple, pear\."):
        fruits().get("zzz")
    assert nearest("zzz", ["apple"]) is None


def test_a_name_is_taken_once() -> None:
    registry = fruits()
    with pytest.raises(ValueError, match="fruit 'pear' is registered twice: a pear and another"):
        registry.register("pear")("another")
    assert registry.get("pear") == "a pear"
    registry.register("pear")(registry.get("pear"))  # a module that is imported twice


def test_another_distribution_adds_entries_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [metadata.EntryPoint(name, "math:tau", "lathe.fruits") for name in ("kiwi", "pear")]
    monkeypatch.setattr(metadata, "entry_points", lambda group: points if group == "lathe.fruits" else [])
    registry = fruits()
    assert registry.names() == ["apple", "kiwi", "pear"]
    assert registry.get("kiwi") > 6  # type: ignore[operator]
    assert registry.get("pear") == "a pear", "ours come first"
