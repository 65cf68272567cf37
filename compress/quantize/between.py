"""What lies between int8 operators and goes along: the activations behind them and the additions between them.

Left float, each costs a dequantization and a quantization. Quantized everywhere, they make hundreds of small nodes: an
addition whose sum goes on into LayerNorm is faster in float.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

ACTIVATIONS = ("Clip", "Relu")  # ONNX Runtime makes them part of the operator before
ADDITION = "Add"
PASSING = {"AveragePool", "Flatten", "GlobalAveragePool", "MaxPool", "ReduceMean", "Reshape", "Squeeze", "Transpose"}


def between(graph: onnx.GraphProto, operators: Collection[str]) -> set[str]:
    """Names of the activations behind the named operators, and of the additions of two computed tensors that only they
    read, with the activations behind those."""
    stored = {tensor.name for tensor in graph.initializer}
    readers: defaultdict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            readers[name].append(node)
    kept = {output.name for output in graph.output}
    found: set[str] = set()

    def takes_integers(node: onnx.NodeProto) -> bool:
        if node.name in operators or node.name in found:
            return True
        goes_on = node.op_type in PASSING or node.op_type in ACTIVATIONS
        return goes_on and is_read_as_integers(node)

    def is_read_as_integers(node: onnx.NodeProto) -> bool:
        (output,) = node.output
        return output not in kept and bool(readers[output]) and all(map(takes_integers, readers[output]))

    for node in reversed(graph.node):
        if node.op_type == ADDITION and not stored.intersection(node.input) and is_read_as_integers(node):
            found.add(node.name)
    quantized = {name for node in graph.node if node.name in found or node.name in operators for name in node.output}
    behind = {node.name for node in graph.node if node.op_type in ACTIVATIONS and node.input[0] in quantized}
    return found | behind
