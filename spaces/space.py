"""Every allowed architecture, and one walk over its decisions that sampling, counting and Optuna share."""

import itertools
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from spaces.architecture import Architecture, Stage
from spaces.blocks import BLOCKS, Block
from spaces.blocks.block import key, order_of

Value = int | float | bool | str
Pick = Callable[[str, tuple[Any, ...]], Any]


@dataclass(frozen=True)
class BlockChoice:
    """A kind of block with the values each of its fields may take."""

    kind: str
    fields: tuple[tuple[str, tuple[Value, ...]], ...] = ()


@dataclass(frozen=True)
class StageSpace:
    """Choices of one stage; every position chooses its own block among `blocks`."""

    depth: tuple[int, ...]
    width: tuple[int, ...]
    stride: int
    blocks: tuple[BlockChoice, ...]
    enter: str = "conv"


@dataclass(frozen=True)
class SearchSpace:
    """A space of chains. Widths and depths are chosen per stage, blocks per position.

    input_shape: (channels, height, width) of images, or (channels, length) of series: the same blocks, along time.
    """

    input_shape: tuple[int, ...]
    classes: int
    stem_width: tuple[int, ...]
    stem_stride: int
    stages: tuple[StageSpace, ...]

    @property
    def dims(self) -> int:
        """2 for images, 1 for series."""
        return len(self.input_shape) - 1


def decide(space: SearchSpace, pick: Pick) -> Architecture:
    """Walk the decisions of a space; `pick(name, options)` answers each one. Only decisions that matter are asked."""
    stem_width = pick("stem.width", space.stem_width)
    stages = []
    for i, stage in enumerate(space.stages):
        width = pick(f"stage{i}.width", stage.width)
        depth = pick(f"stage{i}.depth", stage.depth)
        blocks = tuple(_decide_block(stage, f"stage{i}.block{j}", pick) for j in range(depth))
        stages.append(Stage(width, stage.stride, blocks, stage.enter))
    return Architecture(space.input_shape, space.classes, stem_width, space.stem_stride, tuple(stages))


def _decide_block(stage: StageSpace, name: str, pick: Pick) -> Block:
    index = pick(name, tuple(range(len(stage.blocks))))
    choice = stage.blocks[index]
    picked = {field: pick(f"{name}.{index}.{field}", options) for field, options in choice.fields}
    make: Any = BLOCKS.get(choice.kind)
    return make(**picked)


def sample(space: SearchSpace, rng: random.Random) -> Architecture:
    """A random architecture: every decision uniform, so every depth and every kind is equally likely."""
    return decide(space, lambda _, options: rng.choice(options))


def largest(space: SearchSpace, rng: random.Random) -> Architecture:
    """The largest architecture of a random assignment of kinds: deepest, widest, all that its kinds can have.

    Text fields without an order (activations) are drawn.
    """
    return decide(space, lambda name, options: _extreme(space, name, options, max, rng))


def smallest(space: SearchSpace, rng: random.Random) -> Architecture:
    """The smallest architecture of a random assignment of kinds."""
    return decide(space, lambda name, options: _extreme(space, name, options, min, rng))


def _is_kind(name: str) -> bool:
    return ".block" in name and name.count(".") == 1


def _extreme(
    space: SearchSpace, name: str, options: tuple[Any, ...], best: Callable[..., Any], rng: random.Random
) -> Any:
    if _is_kind(name):
        return rng.choice(options)
    if not isinstance(options[0], str):
        return best(options)
    stage, _, index, field = name.split(".")
    kind = space.stages[int(stage.removeprefix("stage"))].blocks[int(index)].kind
    order = order_of(BLOCKS.get(kind), field)
    return best(options, key=order.index) if order else rng.choice(options)


def choices(space: SearchSpace, arch: Architecture) -> dict[str, Any]:
    """The picks that lead to `arch`: {decision name: value}. Raises ValueError if `arch` is not in the space."""
    if len(arch.stages) != len(space.stages):
        raise ValueError(f"the architecture has {len(arch.stages)} stages and the space {len(space.stages)}.")
    picks: dict[str, Any] = {}

    def pick(name: str, options: tuple[Any, ...]) -> Any:
        value = _value_at(space, arch, name)
        if value is None:
            raise ValueError(f"the block at {name} is not one the space allows there.")
        if value not in options:
            raise ValueError(f"{name} = {value} is not in the space, which allows {', '.join(map(str, options))}.")
        picks[name] = value
        return value

    if decide(space, pick) != arch:
        raise ValueError(f"architecture {arch.id[:12]} is not in the space.")
    return picks


def _value_at(space: SearchSpace, arch: Architecture, name: str) -> Any:
    """What `arch` has at one decision; a block's choice is the first whose fields allow the block, or None."""
    parts = name.split(".")
    if parts[0] == "stem":
        return arch.stem_width
    i = int(parts[0].removeprefix("stage"))
    stage = arch.stages[i]
    if parts[1] == "width":
        return stage.width
    if parts[1] == "depth":
        return len(stage.blocks)
    block = stage.blocks[int(parts[1].removeprefix("block"))]
    if len(parts) == 4:
        return getattr(block, parts[3])
    allowed = (n for n, choice in enumerate(space.stages[i].blocks) if _allows(choice, block))
    return next(allowed, None)


def _allows(choice: BlockChoice, block: Block) -> bool:
    if choice.kind != block.kind:
        return False
    options = dict(choice.fields)
    default: Any = BLOCKS.get(choice.kind)()
    names = [field.name for field in fields(default)]
    return all(getattr(block, name) in options.get(name, (getattr(default, name),)) for name in names)


def mutate(space: SearchSpace, arch: Architecture, rng: random.Random, rate: float) -> Architecture:
    """Each decision of `arch` drawn anew with probability `rate`; decisions that appear are drawn."""
    kept = choices(space, arch)

    def pick(name: str, options: tuple[Any, ...]) -> Any:
        return kept[name] if name in kept and rng.random() >= rate else rng.choice(options)

    return decide(space, pick)


def size(space: SearchSpace) -> int:
    """How many architectures the space holds, counting each sequence of decisions once."""
    total = len(space.stem_width)
    for stage in space.stages:
        per_position = sum(math.prod(len(options) for _, options in choice.fields) for choice in stage.blocks)
        total *= len(stage.width) * sum(per_position**depth for depth in stage.depth)
    return total


def covering(space: SearchSpace) -> list[Architecture]:
    """A few largest architectures that together hold every key of block at every position: what a supernet stores."""
    per_stage = [largest_blocks(stage) for stage in space.stages]
    return [
        Architecture(
            space.input_shape,
            space.classes,
            max(space.stem_width),
            space.stem_stride,
            tuple(
                Stage(max(stage.width), stage.stride, (blocks[turn % len(blocks)],) * max(stage.depth), stage.enter)
                for stage, blocks in zip(space.stages, per_stage, strict=True)
            ),
        )
        for turn in range(max(map(len, per_stage)))
    ]


def largest_blocks(stage: StageSpace) -> list[Block]:
    """For each key, the block with the largest value of every field over all choices that lead to that key."""
    found: dict[str, Any] = {}
    for choice in stage.blocks:
        make: Any = BLOCKS.get(choice.kind)
        options = dict(choice.fields)
        top = {field: _most(make, field, values) for field, values in options.items()}
        for values in itertools.product(*(options.get(f, (getattr(make(), f),)) for f in make.separate)):
            block = make(**top | dict(zip(make.separate, values, strict=True)))
            found[key(block)] = _union(found.get(key(block), block), block)
    return list(found.values())


def _union(one: Any, other: Any) -> Any:
    names = [f.name for f in fields(one)]
    return replace(one, **{n: _most(type(one), n, (getattr(one, n), getattr(other, n))) for n in names})


def _most(make: Any, field: str, values: Sequence[Value]) -> Value:
    order = order_of(make, field)
    return max(values, key=order.index) if order else max(values)  # type: ignore[arg-type]
