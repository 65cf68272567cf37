"""Where a PyTorch graph is quantized so that ONNX Runtime fuses all of it: a quantizer for torchao's PT2E.

PT2E ships no quantizer for ONNX Runtime. With the ones for other engines 3 to 6 of the 9 convolutions of a ResNet were
fused and the int8 file was slower than the float one; with this one it is 9 of 9. The rules, each of which a fusion
needs: every input of a convolution or a linear layer is quantized, and so is its output behind BatchNorm and ReLU;
activations are uint8 with a zero point, weights int8 and symmetric, per output channel; biases stay float (the runtime
makes integers of them). BatchNorm is part of its convolution. Additions are quantized where all that reads them is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.fx import GraphModule, Node
from torchao.quantization.pt2e import (
    FusedMovingAvgObsFakeQuantize,
    MinMaxObserver,
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
    PerChannelMinMaxObserver,
)
from torchao.quantization.pt2e.quantizer import QuantizationAnnotation, QuantizationSpec, Quantizer

if TYPE_CHECKING:
    from torchao.quantization.pt2e.quantizer.quantizer import QuantizationSpecBase

aten = torch.ops.aten
WEIGHTED = {aten.conv1d.default, aten.conv2d.default, aten.linear.default}
NORMS = {aten.batch_norm.default}
CLIPS = {aten.relu.default, aten.relu_.default, aten.hardtanh.default, aten.hardtanh_.default, aten.relu6.default}
ADDITIONS = {aten.add.Tensor, aten.add_.Tensor}
# What the runtime computes on integers as they are, or what moves numbers without computing.
PASSING = {
    aten.adaptive_avg_pool2d.default, aten.avg_pool2d.default, aten.dropout.default, aten.flatten.using_ints,
    aten.max_pool2d.default, aten.mean.dim, aten.permute.default, aten.reshape.default, aten.transpose.int,
    aten.unsqueeze.default, aten.view.default,
}  # fmt: skip
ANNOTATION = "quantization_annotation"


class OrtQuantizer(Quantizer):
    """training: fake quantizers with moving ranges, to train with; otherwise observers, to calibrate with."""

    def __init__(self, training: bool = False) -> None:
        super().__init__()
        self.activation = activation_spec(training)
        self.weight = weight_spec(training)

    def annotate(self, model: GraphModule) -> GraphModule:
        """Mark, in place, what to quantize in an exported graph."""
        for node in model.graph.nodes:
            if node.target in WEIGHTED:
                given, weight = node.args[:2]
                mark(node, {given: self.activation, weight: self.weight})
                mark(end_of_chain(node), {}, self.activation)
        for node in reversed(model.graph.nodes):
            if is_int8_addition(node):
                mark(node, dict.fromkeys(node.args[:2], self.activation))
                mark(end_of_chain(node), {}, self.activation)
        return model

    def validate(self, model: GraphModule) -> None:
        """Nothing: what cannot be quantized was not marked."""


def activation_spec(training: bool) -> QuantizationSpec:
    """uint8 with a zero point, one scale a tensor: the range seen, or while training its moving average."""
    if training:
        make: Any = FusedMovingAvgObsFakeQuantize.with_args(observer=MovingAverageMinMaxObserver)
    else:
        make = MinMaxObserver
    return QuantizationSpec(torch.uint8, make, 0, 255, torch.per_tensor_affine)


def weight_spec(training: bool) -> QuantizationSpec:
    """int8 from -127 to 127, symmetric, one scale an output channel, always that of the present weights."""
    if training:
        observer = MovingAveragePerChannelMinMaxObserver
        make: Any = FusedMovingAvgObsFakeQuantize.with_args(observer=observer, averaging_constant=1.0)
    else:
        make = PerChannelMinMaxObserver
    return QuantizationSpec(torch.int8, make, -127, 127, torch.per_channel_symmetric, ch_axis=0)


def mark(
    node: Node, inputs: dict[Node, QuantizationSpecBase | None], output: QuantizationSpecBase | None = None
) -> None:
    """Add to a node's annotation what is quantized before it and behind it."""
    known = node.meta.get(ANNOTATION) or QuantizationAnnotation(_annotated=True)
    known.input_qspec_map |= inputs
    known.output_qspec = output or known.output_qspec
    node.meta[ANNOTATION] = known


def end_of_chain(node: Node) -> Node:
    """The last of convolution (or addition), BatchNorm, ReLU that nothing else reads from in between."""
    for targets in (NORMS, CLIPS):
        users = list(node.users)
        if len(users) == 1 and users[0].target in targets:
            node = users[0]
    return node


def is_int8_addition(node: Node) -> bool:
    """True for an addition of two images of one shape that only quantized nodes read.

    The residual stream of a transformer goes on into LayerNorm, which is float: there it stays float too.
    """
    if node.target not in ADDITIONS or not all(isinstance(operand, Node) for operand in node.args[:2]):
        return False
    shapes = [operand.meta["val"].shape for operand in node.args[:2] if isinstance(operand, Node)]
    return shapes[0] == shapes[1] and len(shapes[0]) == 4 and all(map(is_int8_reader, end_of_chain(node).users))


def is_int8_reader(node: Node) -> bool:
    """True for a node that takes integers: a marked one, or one that passes numbers on to such nodes alone."""
    if node.meta.get(ANNOTATION) is not None and (node.target in WEIGHTED or node.target in ADDITIONS):
        return True
    return node.target in PASSING and bool(node.users) and all(map(is_int8_reader, node.users))
