"""Training on the labels alone, as a step: for a network that comes without weights, or to go on with its data."""

import copy
from dataclasses import dataclass
from typing import ClassVar

from compress.context import Context
from compress.recipe import STEPS, StepError
from compress.train import Training, fit, hard_labels
from compress.variant import Variant


@STEPS.register("train")
@dataclass(frozen=True)
class Train:
    """SGD with momentum and a cosine schedule on the training part; no teacher is asked.

    epochs, lr, batch, weight_decay, smoothing: as in `compress.train.Training`. What the network brings is kept as the
    start; the step is judged like every other, so weights that get worse are thrown away.
    """

    asks_teacher: ClassVar[bool] = False
    epochs: int = 20
    lr: float = 0.05
    batch: int = 64
    weight_decay: float = 5e-4
    smoothing: float = 0.0

    def __post_init__(self) -> None:
        self._training()

    def _training(self) -> Training:
        return Training(
            self.epochs, batch=self.batch, lr=self.lr, weight_decay=self.weight_decay, smoothing=self.smoothing
        )

    def __call__(self, variant: Variant, context: Context) -> Variant:
        if variant.precision != "float32":
            raise StepError("train takes float32 networks: put it before quantize in the steps.")
        network = copy.deepcopy(variant.network)
        labels = hard_labels(self.smoothing)
        fit(network, context.data, self._training(), labels, context.seed, context.progress, context.before_step)
        return Variant(variant.arch, network)
