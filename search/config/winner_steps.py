"""The steps that winners take: the recipe, with the epochs of their own that the hand-made network has before it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from compress.labels import Train
from compress.recipe import Step
from search.config.study import StudyConfig

TRAINING = ("distill", "train")  # steps that do nothing but train


def winner_steps(config: StudyConfig) -> tuple[tuple[str, Step], ...]:
    """The recipe for a network with shared weights: `alone_epochs` more than `compress.steps` says.

    Its first step has them where that is a training, since one long course with a teacher is worth more than two short
    ones; a recipe that begins otherwise is begun with the labels, trained on as the supernet is.
    """
    steps, epochs = config.steps, config.compress.alone_epochs
    if epochs is None:
        epochs = config.supernet.epochs
    if epochs == 0:
        return steps
    if steps and steps[0][0] in TRAINING:
        (name, first), *rest = steps
        return (name, with_epochs(first, first.epochs + epochs)), *rest  # type: ignore[attr-defined]
    return ("train", Train(epochs, lr=config.supernet.lr, batch=config.supernet.batch)), *steps


def epochs_of(steps: Sequence[tuple[str, Step]]) -> int:
    """What all steps train for, together."""
    return sum(getattr(step, "epochs", 0) for _, step in steps)


def with_epochs(step: Step, epochs: int) -> Step:
    """The same training for so many epochs."""
    made: Any = replace(step, epochs=epochs)  # type: ignore[type-var]
    return made
