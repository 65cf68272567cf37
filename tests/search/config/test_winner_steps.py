"""How long winners are trained: as long as the hand-made network, beside the recipe."""

import pytest

from search.config.study import read_config
from search.config.winner_steps import epochs_of, winner_steps
from search.errors import ConfigError
from tests.search.finished_study import TINY

SUPERNET = 2  # epochs of tiny.yaml, which the hand-made network has alone


def test_a_winners_first_training_has_the_epochs_that_the_hand_made_network_has_before_its_own() -> None:
    config = read_config(TINY)
    assert [name for name, _ in winner_steps(config)] == ["distill", "prune", "quantize"]
    assert epochs_of(winner_steps(config)) == SUPERNET + epochs_of(config.steps)
    assert winner_steps(config)[1:] == config.steps[1:]


def test_a_recipe_without_a_training_at_its_start_is_begun_with_the_labels() -> None:
    config = read_config(TINY, ("compress.steps=[quantize]",))
    (name, train), *rest = winner_steps(config)
    assert (name, vars(train)["epochs"], vars(train)["lr"], vars(train)["batch"]) == ("train", SUPERNET, 0.1, 128)
    assert tuple(rest) == config.steps


def test_whoever_wants_the_recipe_alone_gets_it() -> None:
    config = read_config(TINY, ("compress.alone_epochs=0",))
    assert winner_steps(config) == config.steps


def test_epochs_below_nothing_are_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match="`alone_epochs` must not be negative, got -1. 0 means none"):
        read_config(TINY, ("compress.alone_epochs=-1",))
