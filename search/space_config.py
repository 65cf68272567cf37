"""The `space` section: stem, stages, and for every block the values its fields may take."""

from typing import Any

import torch

from search.fields import Reading, field_kinds, shown
from search.problems import Path
from spaces.blocks import BLOCKS
from spaces.enters import ENTERS
from spaces.space import BlockChoice, StageSpace, largest_blocks

STEM, STAGE = ("width", "stride"), ("depth", "width", "stride", "blocks", "enter")


def read_space(reading: Reading, value: Any) -> tuple[tuple[int, ...], int, tuple[StageSpace, ...]]:
    """(stem widths, stem stride, stages); the reading's problems say what is wrong with them."""
    tree = reading.mapping(("space",), value, "the space") or {}
    reading.known(("space",), tree, ("stem", "stages"), "the space")
    stem = reading.mapping(("space", "stem"), tree.get("stem", {"width": 16}), "the stem") or {}
    reading.known(("space", "stem"), stem, STEM, "the stem")
    widths = _positive(reading, ("space", "stem", "width"), stem.get("width", 16), "`width`")
    stride = _positive(reading, ("space", "stem", "stride"), stem.get("stride", 1), "`stride`")
    listed = tree.get("stages")
    if value is not None and (not isinstance(listed, list) or not listed):
        reading.wrong(("space",), f"the space needs a list of `stages`, got {shown(listed)}", at_key=True)
    stages = [
        _read_stage(reading, ("space", "stages", i), stage)
        for i, stage in enumerate(listed or [])
        if isinstance(listed, list)
    ]
    return widths, stride[0] if stride else 1, tuple(stage for stage in stages if stage)


def _read_stage(reading: Reading, path: Path, value: Any) -> StageSpace | None:
    tree = reading.mapping(path, value, "a stage")
    if tree is None:
        return None
    before = len(reading.problems)
    reading.known(path, tree, STAGE, "a stage")
    for name in ("depth", "width", "blocks"):
        if name not in tree:
            reading.wrong(path, f"a stage needs `{name}`")
    depth = _positive(reading, (*path, "depth"), tree.get("depth", 1), "`depth`")
    width = _positive(reading, (*path, "width"), tree.get("width", 8), "`width`")
    stride = _positive(reading, (*path, "stride"), tree.get("stride", 1), "`stride`")
    enter = tree.get("enter", "conv")
    reading.registered((*path, "enter"), enter, ENTERS)
    listed = tree.get("blocks", [])
    if not isinstance(listed, list):
        reading.wrong((*path, "blocks"), f"`blocks` must be a list of blocks, got {shown(listed)}")
        listed = []
    blocks = [_read_block(reading, (*path, "blocks", i), entry) for i, entry in enumerate(listed)]
    if "blocks" in tree and not listed:
        reading.wrong((*path, "blocks"), "`blocks` must name at least one block", f"known: {', '.join(BLOCKS.names())}")
    if len(reading.problems) > before:
        return None
    stage = StageSpace(depth, width, stride[0], tuple(b for b in blocks if b), enter)
    _check_widths(reading, path, stage)
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
    for field, values in tree.items():
        if field in kinds:
            options = reading.options((*path, name, field), values, kinds[field], f"`{field}`")
            _check_options(reading, (*path, name, field), make, field, options, isinstance(values, list))
            choices.append((field, options))
    return BlockChoice(name, tuple(choices))


def _check_options(reading: Reading, path: Path, make: Any, field: str, options: tuple[Any, ...], listed: bool) -> None:
    for index, option in enumerate(options):
        where = (*path, index) if listed else path
        allowed = make.allowed.get(field)
        if allowed and option not in allowed:
            from spaces.registry import nearest

            close = nearest(option, list(allowed))
            hint = f"did you mean {close!r}?" if close else f"known: {', '.join(allowed)}"
            reading.wrong(where, f"unknown {field} {option!r}", hint)
            continue
        try:
            make(**{field: option})
        except ValueError as error:
            reading.wrong(where, str(error).rstrip("."))


def _check_widths(reading: Reading, path: Path, stage: StageSpace) -> None:
    """Every block must be buildable at every width."""
    for index, width in enumerate(stage.width):
        for block in largest_blocks(stage):
            try:
                with torch.device("meta"):
                    block.build(width)
            except (ValueError, RuntimeError) as error:
                where = (*path, "width", index)
                reading.wrong(where, f"block {block.kind!r} cannot be built at width {width}: {str(error).rstrip('.')}")


def _positive(reading: Reading, path: Path, value: Any, noun: str) -> tuple[int, ...]:
    options = reading.options(path, value, int, noun)
    for index, option in enumerate(options):
        if option < 1:
            where = (*path, index) if isinstance(value, list) else path
            reading.wrong(where, f"{noun} must be positive, got {option}")
            return ()
    return options
