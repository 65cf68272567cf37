"""Quantization-aware training, with the teacher if there is one: the network learns to be right in int8."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from compress.context import Context
from compress.distill import step as distill  # the module: it and this one are both imported by compress.recipe
from compress.processor import visiting
from compress.quantize import pt2e
from compress.recipe import STEPS, StepError
from compress.train import Training
from compress.variant import Variant

if TYPE_CHECKING:
    from torch.fx import GraphModule


@STEPS.register("qat")
@dataclass(frozen=True)
class Qat:
    """Train on with int8 weights and activations simulated, then quantize all that the runtime fuses, additions too.

    epochs, lr, batch: of the training; 0 epochs only quantize. temperature, weight: of the teacher's term, as in
    distill. images: training images that the file's ranges of activations come from. What is trained are plain float
    weights; ranges are found anew when the file is written, so the weights and these settings are the whole variant.
    Source: Jacob et al. 2018, arXiv:1712.05877; with a teacher, Mishra and Marr 2018, arXiv:1711.05852.
    """

    epochs: int = 3
    lr: float = 0.005
    batch: int = 64
    temperature: float = 2.0
    weight: float = 0.7
    images: int = 256

    @property
    def asks_teacher(self) -> bool:
        """Without training, or with the labels alone, nobody is asked."""
        return self.epochs > 0 and self.weight > 0

    def __post_init__(self) -> None:
        if not pt2e.is_installed():
            raise ValueError("the step qat needs torchao, which is not installed. Run: pip install 'lathe[qat]'")
        if self.epochs < 0:
            raise ValueError(f"`epochs` must not be negative, got {self.epochs}. Write 0 to quantize without training.")
        if not 0 <= self.weight <= 1:
            raise ValueError(f"`weight` must be in [0, 1], got {self.weight}. Write 0.5 for half labels, half teacher.")
        for name in ("lr", "batch", "temperature", "images"):
            if getattr(self, name) <= 0:
                raise ValueError(f"`{name}` must be positive, got {getattr(self, name)}.")

    def __call__(self, variant: Variant, context: Context) -> Variant:
        if variant.precision != "float32":
            raise StepError("qat starts from a float32 network: write it in place of quantize in `compress.steps`.")
        network = copy.deepcopy(variant.network)
        if self.epochs:
            self._train(network, context)
        return replace(variant, network=network.eval(), precision="int8", quantization=self)

    def _train(self, network: nn.Module, context: Context) -> None:
        """Train the graph with fake quantizers and take its weights back."""
        data = context.data
        size = min(self.batch, len(data.train.y))  # every batch of `fit` has this many images
        with visiting(network) as here:  # a graph stays where it was exported: it names its processor
            graph = pt2e.trainable(network, data.normalise(data.train.x[:size]).to(here))
            training = Training(self.epochs, batch=self.batch, lr=self.lr)
            distill.train_with_teacher(graph, context, training, self.temperature, self.weight)
            trained = graph.state_dict()  # without layers that do not run, and a tensor of two names under one of them
            own = {name: trained[name] for name in network.state_dict() if name in trained}
            network.load_state_dict(own, strict=False)

    @property
    def scheme(self) -> str:
        """As `Quantization` asks for."""
        return "static"

    def calibration(self, context: Context) -> np.ndarray:
        """As `Quantization` asks for."""
        return context.calibration(self.images)

    def write(self, network: nn.Module, float_path: Path, context: Context, path: Path) -> Path:
        """The int8 file of the trained network, as `Quantization` asks for. Raises: QuantizeError, ExportError."""
        return pt2e.write_simulated(self.simulated(network, context), context.data.input_shape, path)

    def expected(self, network: nn.Module, context: Context, path: Path, x: np.ndarray) -> np.ndarray:
        """The integers that the runtime should compute, computed by torch, as `Quantization` asks for."""
        from compress.quantize.integers import as_the_runtime_computes

        graph = as_the_runtime_computes(self.simulated(network, context))
        with torch.no_grad():
            return torch.cat([graph(image) for image in torch.from_numpy(x).float().split(1)]).numpy()

    def simulated(self, network: nn.Module, context: Context) -> GraphModule:
        """The int8 network as `pt2e.simulated` makes it, made once: the file and what is expected of it are then of the
        same ranges of activations. Raises: QuantizeError."""
        known = context.simulations.get((id(network), self))
        if known is None:
            data = context.data
            calibration = torch.from_numpy(context.calibration(self.images))
            known = network, pt2e.simulated(network, (data.mean, data.std), calibration)
            context.simulations[id(network), self] = known
        return known[1]
