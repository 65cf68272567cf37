"""What a tuner is asked: the recipes there are, what was seen of them, and what counts as good."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from search.tuning.seen import Seen, goal
from search.tuning.space import Candidate, RecipeSpace

LOOKS = 3  # so many first looks are paid for one whole try, where a tuner has no better reason


@dataclass(frozen=True)
class Problem:
    """seen: of every recipe tried, starts included, oldest first. max_drop: points of accuracy that may be lost.
    looks_first: short looks are possible. earlier: recipes that were best elsewhere, to be tried first. for_front: all
    of the front of accuracy, latency and size is wanted, not the fastest alone."""

    space: RecipeSpace
    seen: Sequence[Seen]
    max_drop: float
    looks_first: bool = False
    earlier: Sequence[Candidate] = field(default_factory=tuple)
    for_front: bool = False

    @cached_property
    def whole(self) -> set[Candidate]:
        """Recipes that were tried in whole."""
        return {one.candidate for one in self.seen if not one.is_look}

    @cached_property
    def looked(self) -> set[Candidate]:
        """Recipes that were looked at in short."""
        return {one.candidate for one in self.seen if one.is_look}

    @cached_property
    def _dead(self) -> set[Candidate]:
        return {one.candidate for one in self.seen if one.numbers is None}

    def is_open(self, candidate: Candidate) -> bool:
        """Not tried in whole yet, and no step on its way was refused."""
        if candidate in self.whole:
            return False
        while self._dead and candidate.steps:
            if candidate in self._dead:
                return False
            candidate = candidate.base
        return True

    def needs_look(self, candidate: Candidate) -> bool:
        """A short look comes before the whole."""
        return self.looks_first and candidate.is_trained and candidate not in self.looked

    def draw(self, rng: random.Random) -> Candidate | None:
        """A recipe that is open, every one as likely. None if there is none."""
        for _ in range(200):
            candidate = self.space[rng.randrange(len(self.space))]
            if self.is_open(candidate) and candidate not in self.looked:
                return candidate
        left = [candidate for candidate in self.space.pool((), rng) if self.is_open(candidate)]
        return rng.choice(left) if left else None


@dataclass(frozen=True)
class Proposal:
    """A recipe to try, in short or in whole."""

    candidate: Candidate
    is_look: bool


def proposed(problem: Problem, candidate: Candidate | None) -> Proposal | None:
    """The recipe, in short first where that is possible."""
    return None if candidate is None else Proposal(candidate, problem.needs_look(candidate))


def opening(problem: Problem) -> Proposal | None:
    """The first recipe that was good elsewhere and was not tried here; None if there is none left."""
    able = (c for c in problem.earlier if c in problem.space and problem.is_open(c) and c not in problem.looked)
    return proposed(problem, next(able, None))


def waiting(problem: Problem) -> list[Seen]:
    """What was looked at and not tried in whole, once every few looks, else nothing: one of them is then tried in
    whole, as in successive halving."""
    looks = [
        one for one in problem.seen if one.is_look and one.numbers is not None and one.candidate in problem.space
    ]  # and not what was looked at on the way to a recipe, where `orders` do not name that too
    found = [one for one in looks if problem.is_open(one.candidate)]
    return found if len(looks) >= LOOKS * (len(looks) - len(found) + 1) else []


def survivor(problem: Problem) -> Proposal | None:
    """The best that waits."""
    found = min(waiting(problem), key=lambda one: penalised(one, problem.max_drop), default=None)
    return None if found is None else Proposal(found.candidate, False)


def penalised(seen: Seen, max_drop: float) -> float:
    """One number, less is better: the goal, and what breaks the budget or a limit behind all that does not."""
    if seen.numbers is None:
        return 200.0
    return goal(seen.numbers) + 10.0 * max(0.0, seen.numbers.drop - max_drop) + 100.0 * seen.numbers.broken
