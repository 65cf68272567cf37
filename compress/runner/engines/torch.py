"""PyTorch itself, running a torch.export program: its own kernels one by one, or compiled; on the processor or CUDA.

Not run anywhere so far: CUDA. What is written for it follows PyTorch's documentation of CUDA graphs.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from compress.runner.engines import Call, Input, Opened, Options, Unrunnable, first_line, on_cuda, version_of

if TYPE_CHECKING:
    import torch

INSTALL = "torch"
READS = ".pt2"
MODES = ("compile", "eager")
WARM = 3  # calls before a CUDA graph is captured, as its documentation asks for


def version() -> str:
    return version_of("torch")


def load() -> None:
    import torch

    torch.nn.functional.conv2d(torch.ones(1, 1, 4, 4), torch.ones(1, 1, 3, 3))


def options_text(options: Options) -> str:
    cuda = " cuda-graph" if on_cuda(options) else ""
    return f"threads={options.get('threads', 1)} mode={_mode(options)} batch=1{cuda}"


def open_file(path: str, options: Options) -> Opened:
    """Compiled when it is called first: 5-30 s, and less where the same network was compiled on this machine before."""
    import torch

    name = os.path.basename(path)
    if on_cuda(options) and not torch.cuda.is_available():
        raise Unrunnable("this PyTorch finds no CUDA device. Measure with `processor: cpu`.")
    try:
        with _quiet():
            program = torch.export.load(path)
            if on_cuda(options):
                program = importlib.import_module("torch.export.passes").move_to_device_pass(program, "cuda")
            module: Any = program.module()
    except Exception as error:  # zip's, torch's and pickle's errors have no common ancestor but Exception
        said = f"torch cannot open {name}: {first_line(error)}"
        raise Unrunnable(f"{said} Export the network again with --format pt2.") from error
    if _mode(options) == "compile":
        # constants are folded and weights laid out for the kernels, as every other engine does
        with _quiet():
            module = torch.compile(module, dynamic=False, options={"freezing": True})

    def bind(values: Mapping[str, np.ndarray]) -> Call:
        given = [torch.from_numpy(values[each.name]) for each in inputs]
        with _quiet():
            if on_cuda(options):
                return _captured(module, given)
            call = _on_threads(module, given, int(options.get("threads", 1)))
            call()  # compiles
        return call

    inputs = _inputs(program)
    return Opened(inputs, bind)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """torch warns about torch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _on_threads(module: Any, given: list[torch.Tensor], threads: int) -> Call:
    """torch's number of threads is the whole process's, which may be training: it is set for each call."""
    import torch

    def call() -> object:
        before = torch.get_num_threads()
        if before != threads:
            torch.set_num_threads(threads)
        try:
            with torch.no_grad():
                return module(*given)
        finally:
            if before != threads:
                torch.set_num_threads(before)

    return call


def _captured(module: Any, given: list[torch.Tensor]) -> Call:
    """All kernels of a call as one CUDA graph; a call ends when an event behind it was reached."""
    import torch

    there = [tensor.cuda() for tensor in given]
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.no_grad():
        with torch.cuda.stream(side):
            for _ in range(WARM):
                module(*there)
        torch.cuda.current_stream().wait_stream(side)
        graph, done = torch.cuda.CUDAGraph(), torch.cuda.Event()
        with torch.cuda.graph(graph):
            kept = module(*there)

    def call() -> object:
        graph.replay()
        done.record()
        done.synchronize()
        return kept

    return call


def _inputs(program: torch.export.ExportedProgram) -> tuple[Input, ...]:
    wanted = set(program.graph_signature.user_inputs)
    nodes = [node for node in program.graph.nodes if node.op == "placeholder" and node.name in wanted]
    return tuple(
        Input(node.name, tuple(node.meta["val"].shape), str(node.meta["val"].dtype).removeprefix("torch."))
        for node in nodes
    )


def _mode(options: Options) -> str:
    return str(options.get("mode", MODES[0]))
