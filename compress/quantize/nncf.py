"""Post-training int8 by OpenVINO's own compression library, for devices whose engine is OpenVINO: an extra.

It works on the exported ONNX file (its route through torch fails on attention) and leaves an ONNX file that OpenVINO
reads: what ships is the same file that was judged. It may ruin a network and say nothing, so its file is answered by
OpenVINO itself, in integers, before the judge sees it.
"""

import importlib.util
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from torch import nn

from compress.context import Context
from compress.export.quiet import quiet
from compress.export.session import logits
from compress.quantize import QuantizeError
from compress.recipe import STEPS, StepError
from compress.variant import Variant

MISSING = (
    "the step nncf needs NNCF and OpenVINO, which are not installed. "
    "Run: pip install 'lathe[nncf]'. Without it, `quantize` makes int8 files that OpenVINO runs in integers too."
)
KINDS = ("auto", "plain", "transformer")


@STEPS.register("nncf")
@dataclass(frozen=True)
class Nncf:
    """Static int8 of NNCF: uint8 or int8 activations, int8 weights per channel, biases corrected.

    images: training images that the ranges of activations come from. model: `transformer` keeps what attention needs
    in float and smooths activations, `plain` does not, `auto` looks for a softmax in the file. Cost: 9 s for its
    import, 5-15 s a network.
    """

    images: int = 128
    model: str = KINDS[0]
    acts_on_file: ClassVar[bool] = True
    engine: ClassVar[str] = "openvino"  # whose files it makes, and which answers for them

    def __post_init__(self) -> None:
        if any(importlib.util.find_spec(name) is None for name in ("nncf", "openvino")):
            raise ValueError(MISSING)
        if self.images < 1:
            raise ValueError(f"`images` must be at least 1, got {self.images}.")
        if self.model not in KINDS:
            raise ValueError(f"`model` must be one of {', '.join(KINDS)}, got {self.model!r}.")

    def __call__(self, variant: Variant, context: Context) -> Variant:
        if variant.precision != "float32":
            raise StepError("nncf starts from a float32 network: write it in place of quantize.")
        return replace(variant, precision="int8", quantization=self)

    def write(self, network: nn.Module, float_path: Path, context: Context, path: Path) -> Path:
        """The int8 file of the exported float file, as `Quantization` asks for. Raises: QuantizeError."""
        import onnx

        model = onnx.load(float_path)
        name = model.graph.input[0].name
        images = [{name: image[None]} for image in context.calibration(self.images)]
        try:
            with quiet():
                made = _quantized(model, images, self._is_transformer(model))
        except Exception as error:  # whatever the other library raises
            first = next((line for line in str(error).splitlines() if line.strip()), "no message")
            raise QuantizeError(
                f"NNCF cannot quantize this network: {type(error).__name__}: {first[:300]} Write `quantize` instead."
            ) from error
        del made.metadata_props[:]  # it writes down when and with what it was called
        path.write_bytes(made.SerializeToString(deterministic=True))
        return path

    def expected(self, network: nn.Module, context: Context, path: Path, x: np.ndarray) -> np.ndarray:
        """The answers of the file's own graph in float arithmetic, as `Quantization` asks for. Raises: ExportError."""
        return logits(path, x, rewritten=False)

    def _is_transformer(self, model: Any) -> bool:
        if self.model != "auto":
            return self.model == "transformer"
        return any(node.op_type in ("Softmax", "Attention") for node in model.graph.node)


def _quantized(model: Any, images: list[dict[str, np.ndarray]], is_transformer: bool) -> Any:
    os.environ.setdefault("NNCF_CI", "1")  # else it reports its use to Google Analytics
    nncf: Any = importlib.import_module("nncf")
    return nncf.quantize(
        model,
        nncf.Dataset(images),
        subset_size=len(images),
        model_type=nncf.ModelType.TRANSFORMER if is_transformer else None,
    )
