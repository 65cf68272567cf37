"""A network of which only an ONNX file is there: it can be run, counted, normalised and quantized, not trained."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from compress.export import ExportError, Normalisation
from compress.foreign import Foreign
from spaces.counts import FLOAT_BYTES, Counts

if TYPE_CHECKING:
    import onnx

WITHOUT_INPUTS = 4  # ONNX's format since which a weight need not be an input too
PER_CHANNEL = 13  # ONNX's operator set since which a scale may be one for each channel


class OnnxFile(nn.Module):
    """The file at `path` as a network: (N, C, H, W) float32, as the file wants them -> (N, classes), one by one."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._session: Any = None

    def forward(self, x: Tensor) -> Tensor:
        """Runs in ONNX Runtime, in main memory wherever `x` is; no gradients."""
        from compress.export.session import open_session

        self._session = self._session or open_session(self.path)
        name = self._session.get_inputs()[0].name
        images = x.cpu().contiguous().numpy()
        rows = [torch.from_numpy(self._session.run(None, {name: image[None]})[0]) for image in images]
        return torch.cat(rows).to(x.device)


def foreign_file(network: OnnxFile, name: str, input_shape: tuple[int, ...], classes: int) -> Foreign:
    """The file's description. Raises: ExportError: if it cannot be read, or does not fit the data."""
    model = fixed_model(network.path, input_shape)
    given = _dims(model.graph.output[0])
    if given != [1, classes]:
        raise ExportError(f"{name} puts out {given[1:] or given}, the data has {classes} classes.")
    shapes = tuple(sorted((tensor.name, tuple(tensor.dims)) for tensor in model.graph.initializer))
    return Foreign(name, input_shape, classes, shapes, count_file(model))


def fixed_model(path: Path, input_shape: tuple[int, ...]) -> onnx.ModelProto:
    """The model for one image of this shape. Raises: ExportError: if it is no model, or takes something else."""
    import onnx
    from onnxruntime.tools.onnx_model_utils import fix_output_shapes, make_input_shape_fixed

    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf's and onnx's exceptions have no common ancestor but Exception
        raise ExportError(f"{path} is not an ONNX model: {(str(error).splitlines() or [''])[0][:200]}") from error
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in stored]
    if len(inputs) != 1 or len(model.graph.output) != 1:
        raise ExportError(
            f"{path} has {len(inputs)} inputs and {len(model.graph.output)} outputs; a classifier has one of each."
        )
    dims = _dims(inputs[0])
    wanted = [1, *input_shape]
    if len(dims) != len(wanted) or any(length not in (0, want) for length, want in zip(dims, wanted, strict=True)):
        raise ExportError(
            f"{path} takes {dims} (0: any length), the data has examples of shape {wanted}. "
            "Export it for one such example, or name other data in `task`."
        )
    if inputs[0].type.tensor_type.elem_type != onnx.TensorProto.FLOAT:
        raise ExportError(f"{path} does not take float32. Export the float network; Lathe quantizes it.")
    if any(node.op_type in ("QuantizeLinear", "QLinearConv", "QLinearMatMul") for node in model.graph.node):
        raise ExportError(f"{path} is quantized already. Give the float file.")
    model = _modern(_with_logits(model))
    make_input_shape_fixed(model.graph, inputs[0].name, wanted)
    fix_output_shapes(model)
    return model


def _with_logits(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without a softmax at its end, in place: losses, and the runners of a bundle, take logits."""
    for node in model.graph.node:
        if node.op_type == "Softmax" and list(node.output) == [model.graph.output[0].name]:
            node.op_type = "Identity"
            del node.attribute[:]
    return model


def _modern(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model as today's exporters write it: weights are no inputs, and its operators are of a set that has
    scales for each channel. Where an operator has no newer form, of the set it is of."""
    from onnx import version_converter

    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in stored]
    del model.graph.input[:]  # weights that a caller may replace are no constants: nothing is folded into them
    model.graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, WITHOUT_INPUTS)
    if opset_of(model) >= PER_CHANNEL:
        return model
    try:
        return version_converter.convert_version(model, PER_CHANNEL)
    except Exception:  # the converter raises RuntimeError and its own ConvertError
        return model


def opset_of(model: onnx.ModelProto) -> int:
    """The version of ONNX's own operators."""
    return max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)


def normalised_file(path: Path, normalisation: Normalisation, input_shape: tuple[int, ...]) -> onnx.ModelProto:
    """The model for one image with (pixel - mean) / std in front, so that it takes raw pixels. Raises: ExportError."""
    import numpy as np
    from onnx import helper, numpy_helper

    model = fixed_model(path, input_shape)
    mean, std = (
        np.asarray(numbers, np.float64).reshape(1, -1, *[1] * (len(input_shape) - 1)) for numbers in normalisation
    )
    if not mean.any() and (std == 1).all():
        return model
    graph = model.graph
    stored = {tensor.name for tensor in graph.initializer}
    name = next(value.name for value in graph.input if value.name not in stored)
    first = len(graph.node)
    for node in graph.node:
        node.input[:] = ["lathe_normalised" if given == name else given for given in node.input]
    for constant, value in (("lathe_scale", 1 / std), ("lathe_shift", -mean / std)):
        graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), constant))
    front = [
        helper.make_node("Mul", [name, "lathe_scale"], ["lathe_scaled"]),
        helper.make_node("Add", ["lathe_scaled", "lathe_shift"], ["lathe_normalised"]),
    ]
    nodes = [*front, *graph.node]
    assert len(nodes) == first + 2
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def count_file(model: onnx.ModelProto) -> Counts:
    """Counts of a model with fixed shapes: params (floats it stores), MACs of Conv, ConvTranspose, Gemm and MatMul, and
    the most bytes that its values need at once, evaluated in order."""
    from onnx import shape_inference

    graph = shape_inference.infer_shapes(model).graph
    sizes = {value.name: _dims(value) for value in (*graph.value_info, *graph.input, *graph.output)}
    stored = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    macs = sum(_macs(node, sizes, stored) for node in graph.node)
    last_use = {name: i for i, node in enumerate(graph.node) for name in node.input}
    alive = peak = sum(math.prod(_dims(value)) for value in graph.input if value.name not in stored)
    for i, node in enumerate(graph.node):
        alive += sum(math.prod(sizes.get(name, [0])) for name in node.output)
        peak = max(peak, alive)
        alive -= sum(math.prod(sizes.get(name, [0])) for name in set(node.input) if last_use[name] == i)
    return Counts(sum(math.prod(dims) for dims in stored.values()), macs, peak * FLOAT_BYTES)


def _macs(node: onnx.NodeProto, sizes: dict[str, list[int]], stored: dict[str, list[int]]) -> int:
    out = math.prod(sizes.get(node.output[0], [0]))
    if node.op_type == "Conv":
        return out * math.prod((stored.get(node.input[1]) or sizes.get(node.input[1], [0, 0]))[1:])
    if node.op_type == "ConvTranspose":  # each input goes to all outputs of its group under the kernel
        return math.prod(sizes.get(node.input[0], [0])) * math.prod(stored.get(node.input[1], [0, 0])[1:])
    if node.op_type in ("Gemm", "MatMul"):
        left = stored.get(node.input[0]) or sizes.get(node.input[0], [0])
        transposed = any(a.name == "transA" and a.i for a in node.attribute)
        return out * (left[0] if transposed else left[-1])
    return 0


def _dims(value: Any) -> list[int]:
    return [size.dim_value for size in value.type.tensor_type.shape.dim]
