"""Which widths a device gives for nothing: channel staircases of a layer, or of the stages of a space."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from compress.devices import Device, formats_of
from compress.devices import DeviceError as Unmeasurable
from compress.export import ExportError
from compress.prune.parts import Kind, Part, square
from compress.prune.staircase import MeasureFiles, Staircase, beside_first, measure_parts, staircase, widths_up_to
from compress.scratch import scratch_folder
from search.errors import DeviceError
from spaces.blocks import BLOCKS, Block
from spaces.network import Placed
from spaces.placements import Placement
from spaces.space import SearchSpace, StageSpace

MOST = 32  # widths that are measured
STEP = 8  # of a stage's widths: what every block takes


@dataclass(frozen=True)
class Found:
    """what: was measured. staircase: of it. `staircase.edges()` are the widths to offer."""

    what: str
    staircase: Staircase


def widths_of_layer(kind: Kind, kernel: int, size: int, upto: int, device: Device, name: str, step: int = 0) -> Found:
    """A layer from w to w channels at size x size, for up to 32 widths w or every `step`-th. Raises: DeviceError."""
    widths = tuple(range(step, upto + 1, step)) if step else widths_up_to(upto, MOST)
    what = "linear" if kind == "linear" else f"{kind} {kernel} x {kernel} at {size} x {size}"
    with _measuring(device, name) as measure:
        formats = formats_of(device)
        return Found(what, staircase(lambda w: square(kind, w, kernel, size), widths, measure, formats=formats))


def widths_of_space(space: SearchSpace, device: Device, name: str) -> list[Found]:
    """For each stage, one block of every kind it may hold, together, at every eighth width up to half as wide again as
    the widest it may be. Raises: DeviceError. Cost: 0.1-0.5 s for each kind at each width."""
    with _measuring(device, name) as measure:
        formats = formats_of(device)
        return [_of_stage(i, stage, size, space.dims, measure, formats) for i, stage, size in _sized(space)]


@contextlib.contextmanager
def _measuring(device: Device, name: str) -> Iterator[MeasureFiles]:
    with scratch_folder() as folder:
        try:
            yield beside_first(device, name, folder)
        except (Unmeasurable, ExportError) as error:
            raise DeviceError(str(error)) from error


def _sized(space: SearchSpace) -> Iterator[tuple[int, StageSpace, tuple[int, ...]]]:
    size = tuple(-(-length // space.stem_stride) for length in (*[1] * (2 - space.dims), *space.input_shape[1:]))
    for i, stage in enumerate(space.stages):
        size = tuple(-(-length // stage.stride) for length in size)
        yield i, stage, size


def _of_stage(
    index: int, stage: StageSpace, size: tuple[int, ...], dims: int, measure: MeasureFiles, formats: Sequence[str]
) -> Found:
    blocks: list[Block] = [
        BLOCKS.get(choice.kind)(**{name: options[0] for name, options in choice.fields}) for choice in stage.blocks
    ]
    widths = list(range(STEP, max(stage.width) * 3 // 2 + 1, STEP))
    parts: dict[int, list[Part]] = {
        width: [Placement(Placed(block, width, dims), (width, *size)) for block in blocks] for width in widths
    }
    found = measure_parts([part for row in parts.values() for part in row], measure, {}, formats=formats)
    kinds = ", ".join(choice.kind for choice in stage.blocks)
    totals = tuple(sum(found[part] for part in row) for row in parts.values())
    return Found(f"stage {index}: {kinds} at {size[0]} x {size[1]}", Staircase(tuple(widths), totals))
