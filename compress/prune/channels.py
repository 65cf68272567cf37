"""Structured pruning: order the units of every dimension by importance, then take the window of a smaller network.

Differs from DepGraph (Fang et al. 2023, arXiv:2301.12900): no graph is traced; shapes say what belongs together. A
network that is not built of our blocks goes through torch-pruning instead (foreign.py).
"""

from dataclasses import dataclass

from torch import Tensor, nn

from compress.context import Context
from compress.distill import step as distill  # the module: it and this one are both imported by compress.recipe
from compress.foreign import Description, Foreign, foreign_of
from compress.prune import by_latency, coupled, foreign, refit  # the modules, as above
from compress.prune.dimensions import axes, dimensions, ordered, shortened
from compress.prune.importance import IMPORTANCES, importance, slopes_for
from compress.prune.own import own_plan
from compress.recipe import STEPS, StepError
from compress.train import Training
from compress.variant import Variant
from spaces.architecture import Architecture
from spaces.tasks import Data
from spaces.windows import extract


@STEPS.register("prune")
@dataclass(frozen=True)
class Prune:
    """Remove the least important units of every dimension, fit what is left by least squares, then train it.

    ratio: part of the hidden units to remove, in (0, 1). latency: instead, the share of the present latency to come
    to, in (0, 1): what every width costs is measured on the device, and the widths are chosen that are found to lose
    least within it. width: also shorten the stages' widths. multiple: with `ratio`, hidden channels stay a multiple of
    it (vector units compute the rest for nothing). importance: of a unit, `magnitude`, `taylor`, `bn` or `hessian`, see
    importance.py. epochs: of training afterwards, with the teacher.
    """

    ratio: float = 0.25
    latency: float | None = None
    importance: str = "magnitude"
    width: bool = False
    multiple: int = 8
    epochs: int = 5
    lr: float = 0.01
    batch: int = 64

    def __post_init__(self) -> None:
        if not 0 < self.ratio < 1:
            raise ValueError(f"`ratio` must be in (0, 1), got {self.ratio}. Write 0.5 to halve the channels.")
        if self.latency is not None and not 0 < self.latency < 1:
            raise ValueError(f"`latency` must be in (0, 1), got {self.latency}. Write 0.5 for half of what it is now.")
        if self.importance not in IMPORTANCES:
            raise ValueError(f"`importance` must be one of {', '.join(IMPORTANCES)}, got {self.importance!r}.")
        for name in ("multiple", "epochs", "batch", "lr"):
            if getattr(self, name) <= 0:
                raise ValueError(f"`{name}` must be positive, got {getattr(self, name)}.")

    def __call__(self, variant: Variant, context: Context) -> Variant:
        if variant.precision != "float32":
            raise StepError("prune works on float32 networks: put it before quantize in `compress.steps`.")
        arch, network = self._smaller(variant, context.data) if self.latency is None else self._faster(variant, context)
        distill.train_with_teacher(network, context, Training(self.epochs, batch=self.batch, lr=self.lr))
        return Variant(arch, network)

    def _faster(self, variant: Variant, context: Context) -> tuple[Description, nn.Module]:
        assert self.latency is not None
        kind, data = self.importance, context.data
        if isinstance(variant.arch, Foreign):
            plan = coupled.foreign_plan(variant.arch, variant.network, data, kind)
        else:
            plan = own_plan(variant.arch, variant.network, data, kind, self.width)
        return by_latency.prune_to_latency(variant.network, plan, self.latency, context)

    def _smaller(self, variant: Variant, data: Data) -> tuple[Description, nn.Module]:
        kind, images = self.importance, data.normalise(data.train.x[: refit.IMAGES + refit.ASKED])
        if isinstance(variant.arch, Foreign):
            network, kept = foreign.prune_foreign(variant.network, data, self.ratio, self.multiple, kind)
            refit.refit(network, refit.target(variant.network, images), kept)
            given = variant.arch
            return foreign_of(network, given.source, given.input_shape, given.classes), network
        slopes = slopes_for(kind, variant.network, data)
        tensors = dict(variant.network.state_dict())
        arch, tensors = prune(variant.arch, tensors, self.ratio, self.width, self.multiple, kind, slopes)
        if arch == variant.arch:
            raise StepError(
                f"a ratio of {self.ratio} removes nothing from this network. Raise `ratio`, or lower `multiple`."
            )
        network = extract(tensors, arch)
        refit.refit(network, refit.target(extract(tensors, variant.arch), images), {})
        return arch, network


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

    kind: of importance; slopes: of it, see `slopes_for`.
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
