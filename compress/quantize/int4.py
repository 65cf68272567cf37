"""int4-weights: stored weights of products in 4 bits, one scale for 32 of them, multiplied in int8 at run time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress.quantize import QUANTIZERS, QuantizeError
from compress.quantize.int8 import explained, prepare, write_stripped
from compress.scratch import scratch_folder

if TYPE_CHECKING:
    from compress.context import Context
    from compress.quantize.step import Quantize

BLOCK = 32  # weights that share a scale: fewer are closer to float, and 16 bits of scale more for each block
IN_INT8 = 4  # of ONNX Runtime's levels: activations are rounded to int8 as they come; the others compute in float


@QUANTIZERS.register("int4-weights")
def int4_weights(float_path: Path, context: Context, path: Path, settings: Quantize) -> Path:
    """For networks whose weights are most of the file and are in linear layers; nothing is calibrated.

    Convolutions stay float: the runtime multiplies 4-bit weights in products only (MatMulNBits). A product with fewer
    than 32 inputs fills its blocks with zeros. Raises: QuantizeError: if the file has no product with stored weights.
    Cost: 0.2 s.
    """
    import onnx

    with scratch_folder() as folder, explained(float_path):
        from onnxruntime import quantization
        from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer
        from onnxruntime.quantization.onnx_model import ONNXModel

        model = ONNXModel(onnx.load(prepare(float_path, folder / "prepared.onnx")))
        model.replace_gemm_with_matmul()  # the quantizer knows no Gemm
        config = DefaultWeightOnlyQuantConfig(
            BLOCK, is_symmetric=True, accuracy_level=IN_INT8, quant_format=quantization.QuantFormat.QOperator
        )
        quantizer: Any = MatMulNBitsQuantizer(model.model, algo_config=config)
        quantizer.process()
        quantized = quantizer.model.model
        if not any(node.op_type == "MatMulNBits" for node in quantized.graph.node):
            raise QuantizeError(
                f"{float_path.name} has no product with stored weights, which is what int4-weights quantizes. "
                "Write kind: int8-static."
            )
        return write_stripped(quantized, path)
