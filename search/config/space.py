"""The `space` section: stem, stages, and for every block the values its fields may take."""

from typing import Any

import torch

from search.config.fields import Reading, field_kinds, shown, suggestion
from search.config.problems import Path
from search.errors import ConfigError
from spaces.blocks import BLOCKS
from spaces.enters import ENTERS
from spaces.network import Enter, Placed, skeleton
from spaces.space import BlockChoice, SearchSpace, StageSpace, largest_blocks

SPACE, STEM, STAGE = ("stem", "stages"), ("width", "stride"), ("depth", "width", "stride", "blocks", "enter")


def read_space(reading: Reading, value: Any) -> tuple[tuple[int, ...], int, tuple[StageSpace, ...]]:
    """(stem widths, stem stride, stages); the reading's problems say what is wrong with them."""
    tree = reading.mapping(("space",), value, "the space") or {}
    reading.known(("space",), tree, SPACE, "the space")
    stem = reading.mapping(("space", "stem"), tree.get("stem", {"width": 16}), "the stem") or {}
    reading.known(("space", "stem"), stem, STEM, "the stem")
    widths = _positive(reading, ("space", "stem", "width"), stem.get("width", 16), "`width`")
    stride = _one(reading, ("space", "stem", "stride"), stem.get("stride", 1), "`stride`")
    listed = tree.get("stages", [])
    if "stages" in tree and (not isinstance(listed, list) or not listed):
        got = "an empty list" if listed == [] else shown(listed)
        reading.wrong(("space", "stages"), f"`stages` must be a list of at least one stage, got {got}")
        listed = []
    elif isinstance(value, dict | None):
        reading.needed(("space",), tree, "stages", SPACE, "the space needs `stages`", "a list of at least one stage")
    stages = [_read_stage(reading, ("space", "stages", i), stage) for i, stage in enumerate(listed)]
    return widths, stride, tuple(stage for stage in stages if stage)


def _read_stage(reading: Reading, path: Path, value: Any) -> StageSpace | None:
    tree = reading.mapping(path, value, "a stage")
    if tree is None:
        return None
    before = len(reading.problems)
    reading.known(path, tree, STAGE, "a stage")
    for name in ("depth", "width", "blocks"):
        reading.needed(path, tree, name, STAGE, f"a stage needs `{name}`", "")
    depth = _positive(reading, (*path, "depth"), tree.get("depth", 1), "`depth`")
    width = _positive(reading, (*path, "width"), tree.get("width", 8), "`width`")
    stride = _one(reading, (*path, "stride"), tree.get("stride", 1), "`stride`")
    enter = tree.get("enter", "conv")
    reading.registered((*path, "enter"), enter, ENTERS)
    listed = tree.get("blocks", [])
    if not isinstance(listed, list):
        reading.wrong((*path, "blocks"), f"`blocks` must be a list of blocks, got {shown(listed)}")
        listed = []
    blocks = [_read_block(reading, (*path, "blocks", i), entry) for i, entry in enumerate(listed)]
    if tree.get("blocks") == []:
        reading.wrong((*path, "blocks"), "`blocks` must name at least one block", f"known: {', '.join(BLOCKS.names())}")
    if len(reading.problems) > before:
        return None
    for index, block in enumerate(blocks):
        if block in blocks[:index]:
            reading.wrong((*path, "blocks", index), f"the same block is listed twice: {block.kind}")  # type: ignore[union-attr]
    stage = StageSpace(depth, width, stride, tuple(b for b in blocks if b), enter)
    _check_widths(reading, path, stage, isinstance(tree["width"], list))
    return stage if len(reading.problems) == before else None


def _read_block(reading: Reading, path: Path, entry: Any) -> BlockChoice | None:
    """`mbconv` or `{mbconv: {kernel: [3, 5]}}`."""
    if isinstance(entry, str):
        return BlockChoice(entry) if reading.registered(path, entry, BLOCKS) else None
    if not isinstance(entry, dict) or len(entry) != 1:
        reading.wrong(
            path, f"a block is one name with its choices, got {shown(entry)}", "for example {mbconv: {kernel: [3, 5]}}"
        )
        return None
    ((name, value),) = entry.items()
    make: Any = reading.registered((*path, name), name, BLOCKS, at_key=True)
    tree = reading.mapping((*path, name), value, f"block {name!r}") if make else None
    if tree is None:
        return None
    kinds = field_kinds(make)
    reading.known((*path, name), tree, list(kinds), f"block {name!r}")
    choices = []
    for field in kinds:  # not the file's order, which a stored config does not keep: it decides what a seed draws
        if field in tree:
            values = tree[field]
            options = reading.options((*path, name, field), values, kinds[field], f"`{field}`")
            _check_options(reading, (*path, name, field), make, field, options, isinstance(values, list))
            choices.append((field, options))
    return BlockChoice(name, tuple(choices))


def _check_options(reading: Reading, path: Path, make: Any, field: str, options: tuple[Any, ...], listed: bool) -> None:
    for index, option in enumerate(options):
        where = (*path, index) if listed else path
        allowed = make.allowed.get(field)
        if allowed and option not in allowed:
            reading.wrong(where, f"unknown {field} {option!r}", suggestion(option, allowed))
            continue
        try:
            make(**{field: option})
        except ValueError as error:
            reading.wrong(where, str(error).rstrip("."))


def _check_widths(reading: Reading, path: Path, stage: StageSpace, listed: bool) -> None:
    """Every block must be buildable at every width, and none so thin that nothing is left of it."""
    for index, width in enumerate(stage.width):
        where = (*path, "width", index) if listed else (*path, "width")
        for choice in stage.blocks:
            make: Any = BLOCKS.get(choice.kind)
            least = make(**{field: min(options) for field, options in choice.fields})
            for dimension, units in least.units(width).items():
                if units < 1:
                    rule = f"block {choice.kind!r} has no {dimension} units left at width {width}"
                    reading.wrong(where, rule, f"raise the choices of {choice.kind!r}, or the width")
                    return
        for block in largest_blocks(stage):
            try:
                with torch.device("meta"):
                    block.build(width)
            except (ValueError, RuntimeError) as error:
                reason = str(error).rstrip(".").partition("\n")[0]
                reading.wrong(where, f"block {block.kind!r} cannot be built at width {width}: {reason}")


def check_series(space: SearchSpace) -> None:
    """Raises ConfigError if an enter or a block of a space of series has no form for them."""
    for i, stage in enumerate(space.stages):
        width = max(stage.width)
        enter = Enter(stage.enter, width, width, stage.stride, space.dims)
        for piece in (enter, *(Placed(block, width, space.dims) for block in largest_blocks(stage))):
            try:
                skeleton(piece)
            except ValueError as error:
                name = f"block {piece.block.kind!r}" if isinstance(piece, Placed) else f"enter {piece.kind!r}"
                raise ConfigError(f"stage {i}, {name}: {error}") from error


def _positive(reading: Reading, path: Path, value: Any, noun: str) -> tuple[int, ...]:
    options = reading.options(path, value, int, noun)
    for index, option in enumerate(options):
        if option < 1:
            where = (*path, index) if isinstance(value, list) else path
            reading.wrong(where, f"{noun} must be positive, got {option}")
            return ()
    return options


def _one(reading: Reading, path: Path, value: Any, noun: str) -> int:
    """One positive number: strides are not searched."""
    if isinstance(value, list):
        reading.wrong(path, f"{noun} must be one whole number, got a list", "strides are not a choice")
        return 1
    return (*_positive(reading, path, value, noun), 1)[0]
