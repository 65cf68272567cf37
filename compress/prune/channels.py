"""Structured pruning: order the units of every dimension by importance, then take the window of a smaller network.

Source of the importance: Li et al. 2017, arXiv:1608.08710 (magnitude of a filter), summed over all that belongs to one
unit as in Fang et al. 2023, arXiv:2301.12900 (DepGraph). Differs: no graph is traced; shapes say what belongs together.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from compress.context import Context
from compress.distill import step as distill  # the module: it and this one are both imported by compress.recipe
from compress.prune.dimensions import Axis, axes, dimensions, ordered, shortened
from compress.recalibrate import IMAGES, recalibrate
from compress.recipe import STEPS, StepError
from compress.train import Training
from compress.variant import Variant
from spaces.architecture import Architecture
from spaces.windows import extract


@STEPS.register("prune")
@dataclass(frozen=True)
class Prune:
    """Remove the least important units of every dimension, then train what is left.

    ratio: part of the hidden units to remove, in (0, 1). width: also shorten the stages' widths by that part.
    multiple: hidden channels stay a multiple of it (vector units compute the rest for nothing). importance: only
    `magnitude` so far. epochs: of training afterwards, with the teacher.
    """

    ratio: float = 0.25
    importance: str = "magnitude"
    width: bool = False
    multiple: int = 8
    epochs: int = 5
    lr: float = 0.01
    batch: int = 64

    def __post_init__(self) -> None:
        if not 0 < self.ratio < 1:
            raise ValueError(f"`ratio` must be in (0, 1), got {self.ratio}. Write 0.5 to halve the channels.")
        if self.importance != "magnitude":
            raise ValueError(f"`importance` must be 'magnitude', got {self.importance!r}.")
        for name in ("multiple", "epochs", "batch", "lr"):
            if getattr(self, name) <= 0:
                raise ValueError(f"`{name}` must be positive, got {getattr(self, name)}.")

    def __call__(self, variant: Variant, context: Context) -> Variant:
        if variant.precision != "float32":
            raise StepError("prune works on float32 networks: put it before quantize in `compress.steps`.")
        arch, tensors = prune(variant.arch, dict(variant.network.state_dict()), self.ratio, self.width, self.multiple)
        if arch == variant.arch:
            raise StepError(
                f"a ratio of {self.ratio} removes nothing from this network. Raise `ratio`, or lower `multiple`."
            )
        network = extract(tensors, arch)
        recalibrate(network, context.data.normalise(context.data.train.x[:IMAGES]))
        distill.train_with_teacher(network, context, Training(self.epochs, batch=self.batch, lr=self.lr))
        return Variant(arch, network)


def prune(
    arch: Architecture, tensors: dict[str, Tensor], ratio: float, width: bool = False, multiple: int = 1
) -> tuple[Architecture, dict[str, Tensor]]:
    """The shortened architecture, and the tensors of the full one reordered so that its windows keep what matters.

    Returns what `extract` takes. Cost: a few milliseconds.
    """
    smaller = arch
    for dimension in dimensions(arch):
        if dimension.units < 2 or (dimension.block < 0 and not width):
            continue
        found = axes(arch, dimension)
        tensors = ordered(tensors, found, importance(tensors, found, dimension.units).argsort(descending=True))
        kept = kept_units(dimension.units, ratio, multiple if dimension.name == "hidden" else 1)
        smaller = shortened(smaller, dimension, kept)
    return smaller, tensors


def kept_units(units: int, ratio: float, multiple: int) -> int:
    """Units that stay: the rest of `ratio`, rounded to a multiple where there are that many, at least one."""
    wanted = units * (1 - ratio)
    rounded = round(wanted / multiple) * multiple if units > multiple else round(wanted)
    return min(units, max(1, multiple if units > multiple else 1, rounded))


def importance(tensors: dict[str, Tensor], found: tuple[Axis, ...], units: int) -> Tensor:
    """(units,): the sum of squares of a unit's weights, each tensor scaled to a mean of 1 so that they count alike."""
    total = torch.zeros(units)
    for axis in found:
        weights = tensors[axis.tensor]
        if axis.tensor.endswith(("running_mean", "running_var", "num_batches_tracked")):
            continue
        squares = weights.detach().float().square().movedim(axis.axis, 0).reshape(units, -1).sum(1)
        total += squares / squares.mean().clamp_min(1e-12)
    return total
