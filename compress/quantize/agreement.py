"""How far an int8 file's answers are from those it should give, in steps of its output."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Agreement:
    """images: how many were compared. steps: the largest difference of any logit in steps (LSB) of the output's grid.
    alike: the share of images with the same answer."""

    images: int
    steps: float
    alike: float


def agreement(path: Path, expected: np.ndarray, found: np.ndarray) -> Agreement:
    """Compare logits (n, classes) that the file at `path` gave with those that were expected."""
    steps = float(np.abs(found - expected).max()) / output_step(path, expected)
    return Agreement(len(found), steps, float((found.argmax(1) == expected.argmax(1)).mean()))


def output_step(path: Path, expected: np.ndarray) -> float:
    """One step of the grid that the file's output lies on; of a float output, 1/255 of the range that was expected."""
    import onnx

    if path.suffix == ".pte":  # whose output is float
        return max(float(np.ptp(expected)) / 255, 1e-12)
    graph = onnx.load(path).graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    last = next((node for node in graph.node if graph.output[0].name in node.output), None)
    if last is not None and last.op_type == "DequantizeLinear" and last.input[1] in tensors:
        return float(onnx.numpy_helper.to_array(tensors[last.input[1]]))
    return max(float(np.ptp(expected)) / 255, 1e-12)
