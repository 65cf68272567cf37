"""OpenVINO on the processor. It reads ONNX files itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from compress.runner.engines import Call, Input, Opened, Options, Unrunnable, first_line, version_of

if TYPE_CHECKING:
    import openvino

INSTALL = "openvino"
READS = ".onnx"
PRECISIONS = ("f32", "bf16", "f16")


def version() -> str:
    return version_of("openvino")


def load() -> None:
    import openvino

    openvino.Core().get_property("CPU", "FULL_DEVICE_NAME")  # loads the plugin for processors


def options_text(options: Options) -> str:
    return f"threads={options.get('threads', 1)} precision={_precision(options)} one-stream no-pinning batch=1"


def settings(options: Options) -> dict[str, Any]:
    """How a network is compiled. Nothing said, OpenVINO computes in bfloat16 where the processor can, without a word:
    faster, and other answers; and it pins its threads to cores, which two measurements at once would share."""
    return {
        "INFERENCE_PRECISION_HINT": _precision(options),
        "INFERENCE_NUM_THREADS": int(options.get("threads", 1)),
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,
    }


def open_file(path: str, options: Options) -> Opened:
    """Compiled when the sizes of its inputs are known."""
    import openvino

    name, core = os.path.basename(path), openvino.Core()
    try:
        model = core.read_model(path)
    except Exception as error:  # openvino raises RuntimeError for everything
        raise Unrunnable(f"OpenVINO cannot open {name}: {_reason(error)} Export the network again.") from error

    def bind(values: Mapping[str, np.ndarray]) -> Call:
        if model.is_dynamic():
            model.reshape({given: list(value.shape) for given, value in values.items()})
        request = core.compile_model(model, "CPU", settings(options)).create_infer_request()
        for given, value in values.items():
            request.set_tensor(given, openvino.Tensor(value, shared_memory=True))
        return lambda: request.infer(share_inputs=True, share_outputs=True)

    return Opened(tuple(_input(port) for port in model.inputs), bind)


def _input(port: openvino.Output) -> Input:
    sizes = tuple(size.get_length() if size.is_static else "?" for size in port.get_partial_shape())
    try:
        kind = np.dtype(port.get_element_type().to_dtype()).name
    except (RuntimeError, TypeError):
        kind = str(port.get_element_type())
    return Input(port.get_any_name(), sizes, kind)


def _precision(options: Options) -> str:
    return str(options.get("precision", "f32"))


def _reason(error: Exception) -> str:
    """OpenVINO says first where in its own code it was; what was wrong stands in the last lines."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else first_line(error))[:300]
