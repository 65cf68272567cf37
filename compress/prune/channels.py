"""Structured pruning as a step: by a ratio (by_ratio.py) or to a latency (by_latency.py), then training."""

from dataclasses import dataclass

from torch import nn

from compress.context import Context
from compress.distill import step as distill  # the module: it and this one are both imported by compress.recipe
from compress.foreign import Description, Foreign
from compress.prune import by_latency, by_ratio, coupled  # the modules, as above
from compress.prune.importance import IMPORTANCES
from compress.prune.own import own_plan
from compress.recipe import STEPS, StepError
from compress.train import Training
from compress.variant import Variant


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
        if self.latency is None:
            settings = self.ratio, self.width, self.multiple, self.importance
            arch, network = by_ratio.pruned(variant.arch, variant.network, context.data, *settings)
        else:
            arch, network = self._faster(variant, context)
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
