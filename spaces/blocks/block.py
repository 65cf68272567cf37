"""What a block is: a frozen config of one layer group that keeps the shape (N, C, H, W)."""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, runtime_checkable

from torch import nn

from spaces.registry import Registry


class Block(Protocol):
    """A frozen dataclass; its fields are the choices. Rules for authors: docs/blocks.md.

    `kind` is the registered name. `separate` lists the fields whose values share no weights. `allowed` holds the values
    of text fields; it is checked when a space is read.
    """

    kind: ClassVar[str]
    separate: ClassVar[tuple[str, ...]]
    allowed: ClassVar[dict[str, tuple[str, ...]]]

    def build(self, width: int) -> nn.Module:
        """A module of plain torch layers, (N, width, H, W) -> (N, width, H, W). Must also run on the meta device."""
        ...

    def units(self, width: int) -> dict[str, int]:
        """How many units each of the block's own dimensions has at this width: what pruning may shorten."""
        ...

    def resized(self, width: int, dimension: str, units: int) -> Any:
        """The same block with `units` units in `dimension` at this width."""
        ...


@runtime_checkable
class HasNested(Protocol):
    """A block with dimensions whose units have an order of their own, so that pruning takes the last: the degree."""

    nested: ClassVar[tuple[str, ...]]


@runtime_checkable
class HasTwin(Protocol):
    """A block whose point is its learned functions: it can name the plain block that it has to beat."""

    def twin(self, scale: float) -> Block:
        """The same layout with an MLP, its hidden channels `scale` times as many."""
        ...


@runtime_checkable
class HasSimplest(Protocol):
    """A block of which several compute the same: it can name the one of fewest layers that does."""

    def simplest(self) -> Any:
        """It is itself among its own kind."""
        ...

    def parts(self) -> Mapping[str, int]:
        """How often it has each part, by any names: blocks that compute alike have many parts in common."""
        ...


@runtime_checkable
class HasCounts(Protocol):
    """A block of so many different kinds that building each one to count it would take minutes."""

    def counts(self, width: int, shape: tuple[int, ...], dims: int) -> tuple[int, int, int]:
        """(params, macs, peak_bytes) for an input of `shape`, without the batch: what counting its layers finds."""
        ...


BLOCKS: Registry[type[Block]] = Registry("block", "lathe.blocks")


def key(block: Block) -> str:
    """The name under which a position stores the block's weights: its kind and the fields that share none."""
    return "_".join([block.kind, *(f"{field}{getattr(block, field)}" for field in block.separate)])


def order_of(make: type[Block], field: str) -> tuple[str, ...]:
    """Values of a text field from the least to the most, where the kind of block lists the field as `ordered`: all that
    a value has, the later ones have too. Empty for other fields."""
    return make.allowed[field] if field in getattr(make, "ordered", ()) else ()


def check_kernel(kernel: int) -> None:
    """Raises ValueError unless `kernel` is odd and positive: windows centre the taps, so sizes must share parity."""
    if kernel < 1 or kernel % 2 == 0:
        raise ValueError(
            f"`kernel` must be odd and positive, got {kernel}. Write {max(1, kernel - 1)} or {max(1, kernel + 1)}."
        )


def check_positive(**values: float) -> None:
    """Raises ValueError for the first value that is not positive, naming its field."""
    for name, value in values.items():
        if value <= 0:
            raise ValueError(f"`{name}` must be positive, got {value}.")
