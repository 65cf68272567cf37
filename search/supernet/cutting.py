"""Data-adapted pruning of the space: easy classes and every option first; weak options go while the data grows.

Source: Dai et al. 2020 (DA-NAS), arXiv:2003.12563. Differs: the paper ranks blocks of a layer by the probabilities that
training gives them and keeps a fixed number; here an option goes when networks with it have a larger loss than those
with another in its place, outright and at like cost, with a stated confidence (`evidence.py`), and nothing goes where
that cannot be shown. Options are those of a stage, as a space file has them, and not of a single layer.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch

from search.supernet import ranks
from search.supernet.evidence import Contrast, Option, contrasts, losses_of
from search.supernet.shared_weights import Supernet
from spaces.space import SearchSpace, sample
from spaces.tasks import Data, Split

PROBES = 8  # random networks whose losses say which classes are easy

Allows = Callable[[SearchSpace], bool]  # whether something that meets the limits is left


@dataclass(frozen=True)
class Cutting:
    """When and on what evidence options are taken from the space; an epoch ends early where a span does.

    probe: share of the training on all classes, after which they are put in the order of their loss. first: share of
    the classes, easiest first, that training goes on with; it grows to all of them in `rounds` equal spans, and at each
    step weak options go. networks, images: what they are judged by. confidence: that none of a round's cuts is wrong.
    most: share of the options of a choice that one round may take, one at least, and never all.
    """

    probe: float = 0.1
    first: float = 0.4
    rounds: int = 3
    networks: int = 200
    images: int = 256
    confidence: float = 0.95
    most: float = 0.34

    def __post_init__(self) -> None:
        for name in ("probe", "first", "confidence", "most"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be in (0, 1), got {getattr(self, name)}.")
        if self.rounds < 2:
            raise ValueError(f"`rounds` must be at least 2, got {self.rounds}: one span has no end to cut at.")
        for name, least in (("networks", 50), ("images", 32)):
            if getattr(self, name) < least:
                raise ValueError(f"`{name}` must be at least {least}, got {getattr(self, name)}.")

    def phase(self, done: float) -> int:
        """0 while probing, then 1 to `rounds`."""
        return (
            0 if done < self.probe else min(self.rounds, 1 + int(self.rounds * (done - self.probe) / (1 - self.probe)))
        )

    def classes(self, phase: int, count: int) -> int:
        """How many of `count` classes are trained in a phase, two at least."""
        share = 1.0 if phase == 0 else self.first + (1 - self.first) * (phase - 1) / (self.rounds - 1)
        return max(min(2, count), round(share * count))


@dataclass(frozen=True)
class Cut:
    """An option that was found weak. above: how much larger the loss is per block than with `best` in its place; alike:
    the same at like cost; low: the lesser lower end of their intervals, at the confidence of the round. done: False
    where nothing that meets the limits would have been left."""

    option: Option
    text: str
    best: str
    above: float
    alike: float
    low: float
    confidence: float
    networks: int
    images: int
    classes: int
    done: bool

    @property
    def sentence(self) -> str:
        """What was cut, and why."""
        verb = "cut" if self.done else "kept, since without it nothing would meet the limits:"
        return (
            f"{verb} {self.text}: loss {self.above:+.3f} per block against {self.best}, {self.alike:+.3f} at like "
            f"cost, at least {self.low:+.3f} with {100 * self.confidence:g} % confidence "
            f"({self.networks} networks, {self.classes} classes)"
        )


@dataclass
class Cuts:
    """What a training has cut so far. order: classes, easiest first."""

    phase: int = 0
    order: list[int] = field(default_factory=list)
    found: list[Cut] = field(default_factory=list)

    def applied(self, space: SearchSpace) -> SearchSpace:
        """The space that is left of the whole one."""
        for cut in self.found:
            space = cut.option.taken_from(space) if cut.done else space
        return space

    def to_tree(self) -> dict[str, Any]:
        """Plain dictionaries, lists, numbers and text."""
        return asdict(self)

    @staticmethod
    def from_tree(tree: dict[str, Any] | None) -> Cuts:
        """What `to_tree` gave; nothing cut where there is none."""
        tree = tree or {"phase": 0, "order": [], "found": []}
        return Cuts(tree["phase"], tree["order"], [cut_of(cut) for cut in tree["found"]])


def cut_of(tree: dict[str, Any]) -> Cut:
    """A cut of the dictionary that it was written as."""
    own: dict[str, Any] = tree | {"option": Option(**tree["option"])}
    return Cut(**own)


def lesson(
    supernet: Supernet, data: Data, cutting: Cutting, cuts: Cuts, done: float, seed: int, allows: Allows
) -> Data:
    """The examples to train on now; before that, whatever a new phase begins with: classes are ordered, options go.

    `supernet.space` becomes what is left. Cost at each new phase: `networks` forwards of `images` images.
    """
    while cuts.phase < cutting.phase(done):
        before, known = examples(data, cutting, cuts), len(cuts.found)
        cuts.phase += 1
        if ranks.rank() == 0 and cuts.phase == 1:
            cuts.order = by_ease(supernet, data, cutting, seed)
        elif ranks.rank() == 0:
            cuts.found += weak_options(supernet, before, cutting, cuts, seed, allows)
        decided = Cuts.from_tree(ranks.told(cuts.to_tree()))
        cuts.order, cuts.found = decided.order, decided.found
        for cut in cuts.found[known:] if ranks.rank() else ():
            supernet.space = cut.option.taken_from(supernet.space) if cut.done else supernet.space
    return examples(data, cutting, cuts)


def examples(data: Data, cutting: Cutting, cuts: Cuts) -> Data:
    """Training examples of the classes in use."""
    used = cutting.classes(cuts.phase, len(data.classes))
    if not cuts.order or used == len(data.classes):
        return data
    rows = torch.isin(data.train.y, torch.tensor(cuts.order[:used]))
    return replace(data, train=Split(data.train.x[rows], data.train.y[rows]))


def by_ease(supernet: Supernet, data: Data, cutting: Cutting, seed: int) -> list[int]:
    """The classes by their mean training loss in a few random networks, least first."""
    split = chosen(data, max(cutting.images, 20 * len(data.classes)), f"{seed}/ease")
    rng = random.Random(f"{seed}/ease")
    losses = losses_of(supernet, [sample(supernet.space, rng) for _ in range(PROBES)], data.normalise(split.x), split.y)
    means = [losses[:, split.y == label].mean().item() for label in range(len(data.classes))]
    return sorted(range(len(means)), key=lambda label: means[label] if means[label] == means[label] else float("inf"))


def weak_options(supernet: Supernet, data: Data, cutting: Cutting, cuts: Cuts, seed: int, allows: Allows) -> list[Cut]:
    """Take the weak options from `supernet.space`, with the evidence of each."""
    space, name = supernet.space, f"{seed}/cut/{cuts.phase}"
    split = chosen(data, cutting.images, name)
    found = contrasts(
        supernet, cutting.networks, data.normalise(split.x), split.y, cutting.confidence, random.Random(name)
    )
    told = []
    for contrast in _strongest(found, cutting.most):
        left = contrast.option.taken_from(supernet.space)
        is_done = allows(left)
        supernet.space = left if is_done else supernet.space
        told.append(Cut(
            contrast.option, contrast.option.text(space), contrast.best.text(space), contrast.above, contrast.alike,
            contrast.low, cutting.confidence, contrast.networks, len(split.y), len(split.y.unique()), is_done,
        ))  # fmt: skip
    return told


def _strongest(found: list[Contrast], most: float) -> list[Contrast]:
    """The contrasts to act on: of each choice the clearest, at most that share of its options; in an order in which
    each still means what it meant: fields before blocks, later blocks before earlier ones."""
    chosen: list[Contrast] = []
    for choice in dict.fromkeys(contrast.option.choice for contrast in found):
        own = sorted((c for c in found if c.option.choice == choice and c.low > 0), key=lambda c: -c.low)
        options = sum(c.option.choice == choice for c in found)
        chosen += own[: min(options - 1, max(1, int(most * options)))]
    gone = {(c.option.stage, c.option.block) for c in chosen if c.option.is_block}
    kept = [c for c in chosen if c.option.is_block or (c.option.stage, c.option.block) not in gone]
    return sorted(kept, key=lambda c: (c.option.is_block, c.option.stage, -c.option.block, c.option.field, -c.low))


def chosen(data: Data, count: int, name: str) -> Split:
    """So many training examples, the same for the same name."""
    rows = torch.randperm(
        len(data.train.y), generator=torch.Generator().manual_seed(random.Random(name).getrandbits(62))
    )
    return Split(data.train.x[rows[:count]], data.train.y[rows[:count]])
