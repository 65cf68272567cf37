"""A small network that `probe` and `bench` time, and that blocks are measured beside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from compress.export.formats import ONNX, others, write_beside


def sample_weights() -> Iterator[tuple[int, np.ndarray]]:
    """(stride, kernel (48, inputs, 3, 3)) of each of the 9 convolutions."""
    generator = np.random.default_rng(0)
    for i in range(9):
        given, stride = (3, 2) if i == 0 else (48, 1)
        yield stride, generator.normal(0, 0.05, (48, given, 3, 3)).astype("float32")


class Sample(nn.Module):
    """The network in torch: (1, 3, 32, 32) -> (1, 48, 1, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for stride, kernel in sample_weights():
            layer = nn.Conv2d(kernel.shape[1], 48, 3, stride, 1, bias=False)
            layer.weight = nn.Parameter(torch.from_numpy(kernel), requires_grad=False)
            self.layers.append(layer)

    def forward(self, x: Tensor) -> Tensor:
        stream = x = self.layers[0](x).relu()
        for i, layer in enumerate(list(self.layers)[1:], 1):
            x = layer(x).relu()
            if i % 2 == 0:
                stream = x = x + stream
        return x.mean((2, 3), keepdim=True)


def sample_model(path: Path, formats: Sequence[str] = (ONNX,)) -> Path:
    """A residual network of 8 convolutions for images of 32 x 32, about 0.5 ms on a desktop; random weights.

    formats: that engines read beside ONNX; what lies there is the same network (`compress/export/formats.py`).
    """
    if others(formats):
        write_beside(Sample().eval(), (3, 32, 32), path, formats)
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights, x = [], [], "input"
    for i, (stride, values) in enumerate(sample_weights()):
        weights.append(numpy_helper.from_array(values, f"w{i}"))
        nodes.append(helper.make_node("Conv", [x, f"w{i}"], [f"c{i}"], pads=[1] * 4, strides=[stride] * 2))
        nodes.append(helper.make_node("Relu", [f"c{i}"], [f"r{i}"]))
        x = f"r{i}"
        if i and i % 2 == 0:
            nodes.append(helper.make_node("Add", [x, f"r{i - 2}"], [f"a{i}"]))
            x = f"a{i}"
    nodes.append(helper.make_node("GlobalAveragePool", [x], ["output"]))
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 32, 32])
    made = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 48, 1, 1])
    graph = helper.make_graph(nodes, "sample", [given], [made], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path
