"""ONNX Runtime on the processor, or on a CUDA device through its provider for that."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from compress.runner.engines import Call, Input, Opened, Options, Unrunnable, first_line, on_cuda, version_of

if TYPE_CHECKING:
    import onnxruntime as ort

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
INSTALL = "onnxruntime"
READS = ".onnx"
IDENTITY = bytes.fromhex(  # the smallest ONNX file: y = x of one number; opening it loads what the engine loads late
    "08083a370a100a017812017922084964656e746974791201675a0f0a0178120a0a08080112040a020801620f0a0179120a0a08080112040a02080142040a00100d"
)
TYPES = {"float": "float32", "float16": "float16", "double": "float64", "bool": "bool", "int8": "int8",
         "uint8": "uint8", "int16": "int16", "uint16": "uint16", "int32": "int32", "uint32": "uint32",
         "int64": "int64", "uint64": "uint64"}  # fmt: skip


def version() -> str:
    return version_of("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-qnn")


def load() -> None:
    import onnxruntime as ort

    session = ort.InferenceSession(IDENTITY, session_options(), providers=["CPUExecutionProvider"])
    session.run(None, {"x": np.ones(1, np.float32)})


def options_text(options: Options) -> str:
    cuda = " provider=cuda" if on_cuda(options) else ""
    return f"threads={options.get('threads', 1)} sequential all-optimisations no-spinning bound-io batch=1{cuda}"


def session_options(threads: int = 1) -> ort.SessionOptions:
    """All optimisations, sequential, `threads` threads that do not spin, errors only in the log."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    return options


def _what_it_is(path: str) -> str:
    """Of a file that is no model: a sentence, and what to do."""
    with open(path, "rb") as file:
        begins = file.read(4)
    if begins == b"PK\x03\x04":
        return "it is a zip archive and no ONNX model. Unpack a bundle, and name its folder or the .onnx file in it."
    return "it is no ONNX model, or a damaged one. Name another file. Export the network again if it is the right one."


def open_file(path: str, options: Options) -> Opened:
    """Inputs and outputs are bound once: 5-15 us less a call."""
    import onnxruntime as ort

    threads, cuda = int(options.get("threads", 1)), on_cuda(options)
    if cuda and CUDA not in ort.get_available_providers():
        raise Unrunnable("this ONNX Runtime has no CUDA provider: pip install onnxruntime-gpu in place of onnxruntime.")
    try:
        session = ort.InferenceSession(path, session_options(threads), providers=[CUDA, CPU] if cuda else [CPU])
    except Exception as error:  # onnxruntime's exceptions have no common ancestor but Exception
        name = os.path.basename(path)
        if "INVALID_PROTOBUF" in str(error):
            raise Unrunnable(f"ONNX Runtime cannot open {name}: {_what_it_is(path)}") from error
        said = f"ONNX Runtime cannot open {name}: {first_line(error)}"
        raise Unrunnable(f"{said} Export the network again.") from error
    if cuda and session.get_providers()[0] != CUDA:  # where the device does not start it goes on without a word
        raise Unrunnable("ONNX Runtime found no CUDA device that it can use. Measure with `processor: cpu`.")
    where = "cuda" if cuda else "cpu"

    def bind(values: Mapping[str, np.ndarray]) -> Call:
        binding = session.io_binding()
        for name, value in values.items():
            binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(value, where, 0))
        for made in session.get_outputs():
            binding.bind_output(made.name, where)
        if cuda:
            return lambda: (session.run_with_iobinding(binding), binding.synchronize_outputs())
        return lambda: session.run_with_iobinding(binding)

    return Opened(tuple(Input(i.name, tuple(i.shape), _kind(i.type)) for i in session.get_inputs()), bind)


def _kind(text: str) -> str:
    """tensor(float) is float32; what is no tensor of numbers stays as the file calls it."""
    inside = text.removeprefix("tensor(").removesuffix(")")
    return TYPES.get(inside, text) if text.startswith("tensor(") else text
