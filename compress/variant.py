"""One concrete model on its way to a file."""

from dataclasses import dataclass, field
from typing import Any, Literal

from torch import nn

from spaces.architecture import Architecture


@dataclass(frozen=True)
class Variant:
    """A network with its description, and how its file is made from it.

    network: float32, normalised input -> logits, in eval mode; treated as frozen, steps work on copies. precision:
    int8 means that the exported float file is quantized with `quantization` (an Int8Static), because ONNX quantization
    acts on the file and not on the module.
    """

    arch: Architecture
    network: nn.Module = field(compare=False)
    precision: Literal["float32", "int8"] = "float32"
    quantization: Any = None
