"""One network's description: numbers and names only, hashable, and enough to rebuild the network."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any

from spaces.blocks import BLOCKS, Block
from spaces.enters import ENTERS


@dataclass(frozen=True)
class Stage:
    """An enter layer (stride and width change there) and blocks that keep the shape."""

    width: int
    stride: int
    blocks: tuple[Block, ...]
    enter: str = "conv"


@dataclass(frozen=True)
class Architecture:
    """A chain: stem convolution, stages, global pooling and a linear head.

    input_shape: (channels, height, width) of one image, or (channels, length) of one series. Every network Lathe
    handles has one, a pruned network too (then off the grid of its space), so a description and a safetensors file are
    enough to rebuild it.
    """

    input_shape: tuple[int, ...]
    classes: int
    stem_width: int
    stem_stride: int
    stages: tuple[Stage, ...]

    @cached_property
    def id(self) -> str:
        """sha256 (64 hex digits) of the canonical JSON."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @property
    def dims(self) -> int:
        """Along how many axes the network convolves: 2 for images, 1 for series."""
        return len(self.input_shape) - 1

    @property
    def depth(self) -> int:
        """Blocks in all stages."""
        return sum(len(stage.blocks) for stage in self.stages)

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces, the same text for equal architectures."""
        tree = {
            "input_shape": [_canonical(length) for length in self.input_shape],
            "classes": _canonical(self.classes),
            "stem": {"width": _canonical(self.stem_width), "stride": _canonical(self.stem_stride)},
            "stages": [_stage_tree(stage) for stage in self.stages],
        }
        return json.dumps(tree, sort_keys=True, separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> "Architecture":
        """The inverse of `to_json`. Raises UnknownName for a block that is not registered here."""
        tree = json.loads(text)
        return Architecture(
            input_shape=tuple(tree["input_shape"]),
            classes=tree["classes"],
            stem_width=tree["stem"]["width"],
            stem_stride=tree["stem"]["stride"],
            stages=tuple(_stage(stage) for stage in tree["stages"]),
        )

    def with_stage(self, index: int, stage: Stage) -> "Architecture":
        """The same architecture with another stage at `index`."""
        return replace(self, stages=(*self.stages[:index], stage, *self.stages[index + 1 :]))

    def describe(self) -> str:
        """One line for people: `16 | 24: mbconv k3 e4 relu6, kan k3 r2 | 48: attention h2 d16 r2`."""
        stages = [f"{stage.width}: " + ", ".join(map(_describe_block, stage.blocks)) for stage in self.stages]
        return " | ".join([str(self.stem_width), *stages])


def _canonical(value: Any, default: Any = 0) -> Any:
    """2.0 and 2, and 1 and True where a field is a switch, are the same choice and must hash the same."""
    if isinstance(default, bool):
        return bool(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def block_tree(block: Block) -> dict[str, Any]:
    """Kind and fields of a block, the same for equal ones."""
    values = {f.name: _canonical(getattr(block, f.name), f.default) for f in fields(block)}  # type: ignore[arg-type]
    return {"kind": block.kind} | values


def _stage_tree(stage: Stage) -> dict[str, Any]:
    width, stride = _canonical(stage.width), _canonical(stage.stride)
    return {"width": width, "stride": stride, "enter": stage.enter, "blocks": [block_tree(b) for b in stage.blocks]}


def _stage(tree: dict[str, Any]) -> Stage:
    blocks = []
    for block in tree["blocks"]:
        values = dict(block)
        blocks.append(BLOCKS.get(values.pop("kind"))(**values))
    ENTERS.get(tree["enter"])
    return Stage(tree["width"], tree["stride"], tuple(blocks), tree["enter"])


def _describe_block(block: Block) -> str:
    words = [block.kind]
    for name, value in asdict(block).items():  # type: ignore[call-overload]
        if value is True:
            words.append(name)
        elif isinstance(value, str):
            words.append(value)
        elif value is not False:
            words.append(f"{name[0]}{value:g}")
    return " ".join(words)
