"""Is an option of a stage worse than another, outright and at like cost? Two regressions over random networks.

loss = a + c log widths + sum over blocks of the effect of its kind and of its fields' values, and the same with b log
MACs. An option must lose by both: a cheap one is worse outright, and where nothing else varies the cost, a dear one
seems worse at like cost. All networks are judged on the same images, in training mode (statistics of the batch), so
nothing has to be recalibrated.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy.stats import t
from torch import Tensor
from torch.nn.functional import cross_entropy

from compress.processor import home_of
from search.supernet.shared_weights import Supernet
from spaces.architecture import Architecture
from spaces.counts import count
from spaces.space import SearchSpace, decide

COST = 1  # the column of log MACs
LEAST_FREEDOM = 20  # networks beyond unknowns that an interval needs


@dataclass(frozen=True)
class Option:
    """A block of a stage (its place in the stage's list), or with `field` one value of a field of it."""

    stage: int
    block: int
    field: str = ""
    value: Any = None

    @property
    def is_block(self) -> bool:
        """Not a value of a field."""
        return not self.field

    @property
    def choice(self) -> tuple[int, int, str]:
        """What it is an option of: equal for those that stand in for each other."""
        return (self.stage, -1, "") if self.is_block else (self.stage, self.block, self.field)

    def taken_from(self, space: SearchSpace) -> SearchSpace:
        """The space without it. Raises: ValueError: if it is the only one."""
        stage = space.stages[self.stage]
        blocks = list(stage.blocks)
        if self.is_block:
            del blocks[self.block]
        else:
            kept = tuple(
                (name, tuple(v for v in values if v != self.value) if name == self.field else values)
                for name, values in blocks[self.block].fields
            )
            blocks[self.block] = replace(blocks[self.block], fields=kept)
        if not blocks or any(not values for block in blocks for _, values in block.fields):
            raise ValueError(f"{self.text(space)} is the last option there.")
        stages = (*space.stages[: self.stage], replace(stage, blocks=tuple(blocks)), *space.stages[self.stage + 1 :])
        return replace(space, stages=stages)

    def text(self, space: SearchSpace) -> str:
        """For people: `mbconv (kernel 3, 5; expand 4) in stage 0`, `kernel 5 of mbconv in stage 0`."""
        block = space.stages[self.stage].blocks[self.block]
        if not self.is_block:
            return f"{self.field} {self.value} of {block.kind} in stage {self.stage}"
        fields = "; ".join(f"{name} {', '.join(map(str, values))}" for name, values in block.fields)
        return f"{block.kind}{f' ({fields})' if fields else ''} in stage {self.stage}"


@dataclass(frozen=True)
class Contrast:
    """An option against another of its choice. above: larger loss per block outright, alike: at like cost; low: the
    lesser of the lower ends of their intervals."""

    option: Option
    best: Option
    above: float
    alike: float
    low: float
    networks: int


def contrasts(
    supernet: Supernet, networks: int, x: Tensor, y: Tensor, confidence: float, rng: random.Random
) -> list[Contrast]:
    """Every option of a choice against the one that beats it most clearly; left out where the networks say nothing.

    Intervals are one-sided and hold together with `confidence` over all pairs of options (Bonferroni, Student's t).
    More networks are judged where there are many options: twice as many. Cost: a forward a network.
    """
    options = options_of(supernet.space)
    drawn = [draw(supernet.space, rng) for _ in range(max(networks, 2 * len(options)))]
    losses = losses_of(supernet, [arch for arch, _ in drawn], x, y).mean(1).double().numpy()
    features = np.stack([row(supernet.space, options, arch, picks) for arch, picks in drawn])
    return compared(options, features, losses, confidence)


def draw(space: SearchSpace, rng: random.Random) -> tuple[Architecture, dict[str, Any]]:
    """A random architecture and the picks that led to it."""
    picks: dict[str, Any] = {}
    return decide(space, lambda name, options: picks.setdefault(name, rng.choice(options))), picks


def losses_of(supernet: Supernet, archs: list[Architecture], x: Tensor, y: Tensor) -> Tensor:
    """(networks, images) cross-entropy in training mode; torch's random numbers are left as they were."""
    tensors, was_training = supernet.tensors(), supernet.training
    supernet.training = True
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            x, y = x.to(home_of(supernet)), y.to(home_of(supernet))
            losses = [cross_entropy(supernet(x, arch, tensors), y, reduction="none") for arch in archs]
            return torch.stack(losses).cpu()
    finally:
        supernet.training = was_training


def options_of(space: SearchSpace) -> list[Option]:
    """Everything that could be taken: blocks of a stage with several, values of fields with several."""
    found = []
    for i, stage in enumerate(space.stages):
        several = len(stage.blocks) > 1
        for index, block in enumerate(stage.blocks):
            found += [Option(i, index)] if several else []
            found += [Option(i, index, name, v) for name, values in block.fields if len(values) > 1 for v in values]
    return found


def row(space: SearchSpace, options: list[Option], arch: Architecture, picks: dict[str, Any]) -> list[float]:
    """What the loss is explained by: 1, log MACs, log widths, and for each option how many blocks have it. Values of a
    field count against their mean, so that the effect of a block is that of its mean value."""
    nuisance = [1.0, math.log(count(arch).macs), math.log(arch.stem_width), *(math.log(s.width) for s in arch.stages)]
    return [*nuisance, *(_share(space, option, arch, picks) for option in options)]


def _share(space: SearchSpace, option: Option, arch: Architecture, picks: dict[str, Any]) -> float:
    names = [f"stage{option.stage}.block{j}" for j in range(len(arch.stages[option.stage].blocks))]
    own = [name for name in names if picks[name] == option.block]
    if option.is_block:
        return float(len(own))
    values = dict(space.stages[option.stage].blocks[option.block].fields)[option.field]
    having = sum(picks[f"{name}.{option.block}.{option.field}"] == option.value for name in own)
    return having - len(own) / len(values)


def compared(options: list[Option], features: np.ndarray, losses: np.ndarray, confidence: float) -> list[Contrast]:
    """The contrasts that least squares gives; `features` as `row` makes them."""
    alike = _Fit.of(features, losses)
    outright = _Fit.of(np.delete(features, COST, axis=1), losses)
    if alike.freedom < LEAST_FREEDOM:
        return []
    first = features.shape[1] - len(options)
    choices: dict[tuple[int, int, str], list[int]] = {}
    for at, option in enumerate(options):
        choices.setdefault(option.choice, []).append(at)
    pairs = sum(len(members) * (len(members) - 1) for members in choices.values())
    far = float(t.ppf(1 - (1 - confidence) / max(1, pairs), alike.freedom))
    found: list[Contrast] = []
    for members in choices.values():
        for at in members:
            rivals: list[Contrast] = []
            for other in members:
                with_cost = alike.difference(first + at, first + other) if at != other else None
                without = outright.difference(first + at - 1, first + other - 1)
                if with_cost is not None and without is not None:
                    low = min(above - far * error for above, error in (with_cost, without))
                    rivals.append(Contrast(options[at], options[other], without[0], with_cost[0], low, len(losses)))
            found += [max(rivals, key=lambda contrast: contrast.low)] if rivals else []
    return found


@dataclass(frozen=True)
class _Fit:
    """Least squares with the smallest coefficients. known: projection on what the rows can tell."""

    effects: np.ndarray
    covariance: np.ndarray
    known: np.ndarray
    freedom: int

    @staticmethod
    def of(features: np.ndarray, losses: np.ndarray) -> _Fit:
        inverse = np.linalg.pinv(features, rcond=1e-8)
        effects, rank = inverse @ losses, np.linalg.matrix_rank(features, tol=1e-8 * np.linalg.norm(features, 2))
        freedom = len(losses) - int(rank)
        variance = float(((losses - features @ effects) ** 2).sum()) / max(1, freedom)
        return _Fit(effects, variance * inverse @ inverse.T, inverse @ features, freedom)

    def difference(self, one: int, other: int) -> tuple[float, float] | None:
        """(difference of two effects, its standard error); None where the rows do not tell."""
        wanted = np.zeros(len(self.effects))
        wanted[one], wanted[other] = 1.0, -1.0
        if not np.allclose(self.known @ wanted, wanted, atol=1e-6):
            return None
        return float(wanted @ self.effects), float(np.sqrt(wanted @ self.covariance @ wanted))
