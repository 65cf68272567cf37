"""Post-training int8 by Intel Neural Compressor, for those who have recipes with it: the quantizer of an extra.

Its static quantization is torchao's PT2E with the annotations for x86 (`X86InductorQuantizer`), so its file lands where
our own `qat` with 0 epochs does, with fewer operators fused by ONNX Runtime: additions and the input stay float or are
quantized where that runtime cannot use it. Nothing in Lathe depends on it.
"""

import importlib.util
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from compress.context import Context
from compress.export.quiet import quiet
from compress.export.session import logits
from compress.quantize import QuantizeError
from compress.recipe import STEPS, StepError
from compress.variant import Variant

MISSING = (
    "the step neural-compressor needs Intel Neural Compressor, which is not installed. "
    "Run: pip install 'lathe[neural-compressor]'. Without it, `quantize` and `qat` do the same and fuse more."
)


@STEPS.register("neural-compressor")
@dataclass(frozen=True)
class NeuralCompressor:
    """Static int8 of Intel Neural Compressor 3: uint8 activations, int8 weights per channel.

    images: training images that the ranges of activations come from.
    """

    images: int = 128
    acts_on_file: ClassVar[bool] = False  # it works on the network; a file of the user's has none

    def __post_init__(self) -> None:
        if importlib.util.find_spec("neural_compressor") is None:
            raise ValueError(MISSING)
        if self.images < 1:
            raise ValueError(f"`images` must be at least 1, got {self.images}.")

    def __call__(self, variant: Variant, context: Context) -> Variant:
        if variant.precision != "float32":
            raise StepError("neural-compressor starts from a float32 network: write it in place of quantize.")
        return replace(variant, precision="int8", quantization=self)

    @property
    def scheme(self) -> str:
        """As `Quantization` asks for."""
        return "static"

    def calibration(self, context: Context) -> np.ndarray:
        """As `Quantization` asks for."""
        return context.calibration(self.images)

    def write(self, network: nn.Module, float_path: Path, context: Context, path: Path) -> Path:
        """The int8 file, as `Quantization` asks for. Raises: QuantizeError, ExportError."""
        from compress.export.normalised import exportable
        from compress.quantize.pt2e import write_simulated

        data = context.data
        images = torch.from_numpy(context.calibration(self.images))
        whole = exportable(network, (data.mean, data.std), data.input_shape)
        try:
            with quiet(), torch.no_grad():
                graph = _quantized(whole, images)
        except Exception as error:  # whatever the other library raises
            first = next((line for line in str(error).splitlines() if line.strip()), "no message")
            raise QuantizeError(
                f"Neural Compressor cannot quantize this network: {type(error).__name__}: {first[:300]} "
                "Write `quantize` or `qat` instead."
            ) from error
        return write_simulated(graph, data.input_shape, path)

    def expected(self, network: nn.Module, context: Context, path: Path, x: np.ndarray) -> np.ndarray:
        """The answers of the file's own graph in float arithmetic, as `Quantization` asks for. Raises: ExportError."""
        return logits(path, x, rewritten=False)


def _quantized(whole: nn.Module, images: torch.Tensor) -> torch.fx.GraphModule:
    """Its three calls: export, prepare, convert. Cost: 6 s for its import, 2-4 s a network."""
    from neural_compressor.torch.export import export  # pyright: ignore[reportMissingImports]
    from neural_compressor.torch.quantization import (  # pyright: ignore[reportMissingImports]
        StaticQuantConfig,
        convert,
        prepare,
    )

    from compress.quantize.pt2e import keep_apart

    prepared = prepare(keep_apart(export(whole, (images[:1],))), StaticQuantConfig())
    for image in images.split(1):
        prepared(image)
    return convert(prepared)
