"""int8-dynamic: products with stored weights in int8, the range of an activation taken from itself at run time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from compress.quantize import QUANTIZERS, QuantizeError
from compress.quantize.int8 import explained, prepare, write_stripped
from compress.scratch import scratch_folder

if TYPE_CHECKING:
    import onnx

    from compress.context import Context
    from compress.quantize.step import Quantize

# Convolutions stay float: ONNX Runtime's ConvInteger made a small convolutional network 10 times slower.
OPERATORS = ("Gemm", "MatMul")


@QUANTIZERS.register("int8-dynamic")
def dynamic(float_path: Path, context: Context, path: Path, settings: Quantize) -> Path:
    """For networks whose work is in linear layers, such as transformers; nothing is calibrated.

    Raises: QuantizeError: if the file has no product with stored weights. Cost: 0.1 s.
    """
    import onnx
    from onnxruntime import quantization

    with scratch_folder() as folder, explained(float_path):
        prepared, quantized = folder / "prepared.onnx", folder / "quantized.onnx"
        prepare(float_path, prepared)
        if not _has_stored_product(onnx.load(prepared)):
            raise QuantizeError(
                f"{float_path.name} has no product with stored weights, which is what int8-dynamic quantizes. "
                "Write kind: int8-static."
            )
        quantization.quantize_dynamic(
            prepared,
            quantized,
            op_types_to_quantize=list(OPERATORS),
            per_channel=True,
            weight_type=quantization.QuantType.QInt8,
        )
        return write_stripped(onnx.load(quantized), path)


def _has_stored_product(model: onnx.ModelProto) -> bool:
    stored = {tensor.name for tensor in model.graph.initializer}
    return any(node.op_type in OPERATORS and node.input[1] in stored for node in model.graph.node)
