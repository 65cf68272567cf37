"""Structured pruning: order the units of every dimension by importance, then take the window of a smaller network.

Differs from DepGraph (Fang et al. 2023, arXiv:2301.12900): no graph is traced; shapes say what belongs together. A
network that is not built of our blocks goes through torch-pruning instead (foreign.py).
"""

from dataclasses import dataclass

from torch import Tensor, nn

from compress.context import Context
from compress.distill import step as distill  # the module: it and this one are both imported by compress.recipe
from compress.foreign import Description, Foreign, foreign_of
from compress.prune import foreign  # the module, as above
from compress.prune.dimensions import axes, dimensions, ordered, shortened
from compress.prune.importance import IMPORTANCES, gradients, importance
from compress.recalibrate import IMAGES, recalibrate
from compress.recipe import STEPS, StepError
from compress.train import Training
from compress.variant import Variant
from spaces.architecture import Architecture
from spaces.tasks import Data
from spaces.windows import extract


@STEPS.register("prune")
@dataclass(frozen=True)
class Prune:
    """Remove the least important units of every dimension, then train what is left.

    ratio: part of the hidden units to remove, in (0, 1). width: also shorten the stages' widths by that part.
    multiple: hidden channels stay a multiple of it (vector units compute the rest for nothing). importance: of a unit,
    `magnitude`, `taylor` or `bn`, see importance.py. epochs: of training afterwards, with the teacher.
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
        if self.importance not in IMPORTANCES:
            raise ValueError(f"`importance` must be one of {', '.join(IMPORTANCES)}, got {self.importance!r}.")
        for name in ("multiple", "epochs", "batch", "lr"):
            if getattr(self, name) <= 0:
                raise ValueError(f"`{name}` must be positive, got {getattr(self, name)}.")

    def __call__(self, variant: Variant, context: Context) -> Variant:
        if variant.precision != "float32":
            raise StepError("prune works on float32 networks: put it before quantize in `compress.steps`.")
        arch, network = self._smaller(variant, context.data)
        recalibrate(network, context.data.normalise(context.data.train.x[:IMAGES]))
        distill.train_with_teacher(network, context, Training(self.epochs, batch=self.batch, lr=self.lr))
        return Variant(arch, network)

    def _smaller(self, variant: Variant, data: Data) -> tuple[Description, nn.Module]:
        if isinstance(variant.arch, Foreign):
            network = foreign.prune_foreign(variant.network, data, self.ratio, self.multiple, self.importance)
            given = variant.arch
            return foreign_of(network, given.source, given.input_shape, given.classes), network
        slopes = gradients(variant.network, data) if self.importance == "taylor" else None
        tensors = dict(variant.network.state_dict())
        arch, tensors = prune(variant.arch, tensors, self.ratio, self.width, self.multiple, self.importance, slopes)
        if arch == variant.arch:
            raise StepError(
                f"a ratio of {self.ratio} removes nothing from this network. Raise `ratio`, or lower `multiple`."
            )
        return arch, extract(tensors, arch)


def prune(
    arch: Architecture,
    tensors: dict[str, Tensor],
    ratio: float,
    width: bool = False,
    multiple: int = 1,
    kind: str = "magnitude",
    slopes: dict[str, Tensor] | None = None,
) -> tuple[Architecture, dict[str, Tensor]]:
    """The shortened architecture, and the tensors of the full one reordered so that its windows keep what matters.

    kind: of importance; slopes: the gradients that `taylor` needs.
    Returns what `extract` takes. Cost: a few milliseconds.
    """
    smaller = arch
    for dimension in dimensions(arch):
        if dimension.units < 2 or (dimension.block < 0 and not width):
            continue
        found = axes(arch, dimension)
        order = importance(tensors, found, dimension.units, kind, slopes).argsort(descending=True)
        tensors = ordered(tensors, found, order)
        if slopes is not None:
            slopes = ordered(slopes, tuple(axis for axis in found if axis.tensor in slopes), order)
        kept = kept_units(dimension.units, ratio, multiple if dimension.name == "hidden" else 1)
        smaller = shortened(smaller, dimension, kept)
    return smaller, tensors


def kept_units(units: int, ratio: float, multiple: int) -> int:
    """Units that stay: the rest of `ratio`, rounded to a multiple where there are that many, at least one."""
    wanted = units * (1 - ratio)
    rounded = round(wanted / multiple) * multiple if units > multiple else round(wanted)
    return min(units, max(1, multiple if units > multiple else 1, rounded))
