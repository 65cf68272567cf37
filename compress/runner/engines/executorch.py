"""ExecuTorch on the processor, with XNNPACK: what runs on telephones. Its runtime for Python stands on torch."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from compress.runner.engines import Call, Input, Opened, Options, Unrunnable, first_line, version_of

INSTALL = "executorch torch"
READS = ".pte"
KINDS = {
    0: "uint8",
    1: "int8",
    2: "int16",
    3: "int32",
    4: "int64",
    5: "float16",
    6: "float32",
    7: "float64",
    11: "bool",
}


def version() -> str:
    return version_of("executorch")


def load() -> None:
    _bindings()


def options_text(options: Options) -> str:
    return f"threads={options.get('threads', 1)} batch=1"


def open_program(path: str, threads: int) -> Any:
    """A program with so many threads of XNNPACK's. The threads are of the whole process: programs that were opened
    with another number must be gone. Raises: RuntimeError: if the file is none."""
    bindings = _bindings()
    with _silent():
        if bindings._threadpool_get_thread_count() != threads:
            bindings._unsafe_reset_threadpool(threads)
        return bindings._load_program(path)


def open_file(path: str, options: Options) -> Opened:
    """One method, `forward`, whose inputs and outputs are tensors."""
    import torch

    name = os.path.basename(path)
    try:
        with _silent():
            program = open_program(path, int(options.get("threads", 1)))
            method, about = program.load_method("forward"), program.method_meta("forward")
        inputs = [about.input_tensor_meta(i) for i in range(about.num_inputs())]
    except RuntimeError as error:
        said = f"ExecuTorch cannot open {name}: {first_line(error)}"
        raise Unrunnable(f"{said} Export the network again with --format pte.") from error

    def bind(values: Mapping[str, np.ndarray]) -> Call:
        given = tuple(torch.from_numpy(values[f"input{i}"]) for i in range(len(inputs)))
        method.call(given, clone_outputs=False)
        return lambda: (program, method.call(given, clone_outputs=False))  # the method needs its program

    return Opened(
        tuple(Input(f"input{i}", tuple(m.sizes()), KINDS.get(m.dtype(), str(m.dtype()))) for i, m in enumerate(inputs)),
        bind,
    )


def _bindings() -> Any:
    """The runtime itself. Its Python package would import the exporter too, which takes ten seconds."""
    import torch  # noqa: F401  (the bindings are linked against it)

    with _silent():
        from executorch.extension.pybindings import _C  # pyright: ignore[reportMissingImports]
    return _C


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Its log goes to the process's stderr from C++, past Python."""
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)
