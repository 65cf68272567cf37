"""A formula instead of a clock: a file has the same latency everywhere, so a study can be repeated exactly."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from compress.devices import DEVICES, DeviceError, digest
from compress.measurement import Measurement

if TYPE_CHECKING:
    import onnx

FORMULA = "1"


@DEVICES.register("simulated")
@dataclass(frozen=True)
class Simulated:
    """latency = nodes * node_us + multiply-adds / macs_per_us, read from the file's graph.

    seconds_per_measurement: how long each file keeps the caller waiting, to stand for a slow device.
    """

    macs_per_us: float = 20000.0
    node_us: float = 1.0
    seconds_per_measurement: float = 0.0

    def __post_init__(self) -> None:
        if self.macs_per_us <= 0:
            raise ValueError(f"`macs_per_us` must be positive, got {self.macs_per_us}.")
        for name in ("node_us", "seconds_per_measurement"):
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` must not be negative, got {getattr(self, name)}.")

    def fingerprint(self) -> dict[str, str]:
        """The constants of the formula; how long it pretends to take changes no number."""
        return {
            "runtime": "simulated",
            "protocol": FORMULA,
            "macs_per_us": repr(float(self.macs_per_us)),
            "node_us": repr(float(self.node_us)),
        }

    def measure(self, files: Sequence[Path], reference: Path, name: str) -> list[Measurement]:
        """The formula's latency of each file. Raises DeviceError if a file is no model with static shapes."""
        fingerprint, beside = digest(self.fingerprint()), self._latency_ms(reference)
        measurements = []
        for path in files:
            time.sleep(self.seconds_per_measurement)
            ms = self._latency_ms(path)
            details = {"protocol": FORMULA, "reference_ms": beside}
            details |= dict.fromkeys(("ratio", "ratio_low", "ratio_high"), ms / beside)
            artifact = hashlib.sha256(path.read_bytes()).hexdigest()
            measurements.append(
                Measurement(
                    "latency_ms", ms, "ms", ms, ms, "simulated", 1, name, fingerprint, artifact, details=details
                )
            )
        return measurements

    def _latency_ms(self, path: Path) -> float:
        nodes, macs = work(path)
        return (nodes * self.node_us + macs / self.macs_per_us) / 1e3


def work(path: Path) -> tuple[int, int]:
    """(nodes, multiply-adds of convolutions and products) of an ONNX file with static shapes. Raises DeviceError."""
    import onnx

    try:
        model = onnx.shape_inference.infer_shapes(onnx.load(path), strict_mode=True)
    except Exception as error:  # protobuf and onnx each raise their own
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DeviceError(f"{path} is not an ONNX file that can be read: {reason} Export it again.") from error
    shapes = _shapes(model.graph)
    unknown = sorted(name for name, shape in shapes.items() if 0 in shape)
    if unknown:
        raise DeviceError(f"{path.name} does not fix the shape of {unknown[0]}. Export it with batch 1.")
    return len(model.graph.node), sum(_macs(node, shapes) for node in model.graph.node)


def _shapes(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    """Shapes by name; 0 stands for a size that is not known."""
    shapes = {
        value.name: tuple(size.dim_value for size in value.type.tensor_type.shape.dim)
        for value in (*graph.input, *graph.value_info, *graph.output)
    }
    return {tensor.name: tuple(tensor.dims) or (1,) for tensor in graph.initializer} | shapes


def _macs(node: onnx.NodeProto, shapes: dict[str, tuple[int, ...]]) -> int:
    if node.op_type == "Conv":  # weight (outputs, inputs / groups, *kernel)
        return math.prod(shapes[node.output[0]]) * math.prod(shapes[node.input[1]][1:])
    if node.op_type in ("Gemm", "MatMul"):
        transposed = any(a.name == "transA" and a.i for a in node.attribute)
        return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][0 if transposed else -1]
    return 0
