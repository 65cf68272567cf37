"""ExecuTorch programs lowered to XNNPACK: for telephones and other ARM processors, and x86 ones too."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from compress.export import EXPORTERS, Exporter, ExportError, Normalisation
from compress.export.quiet import quiet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn
    from torch.fx import GraphModule

EXTRA = "the format pte needs ExecuTorch, which is not installed. Run: pip install 'lathe[executorch]'"
DELEGATED, ALL = "delegated_operators", "operators"  # methods of the file that return these counts


def export_pte(network: nn.Module, normalisation: Normalisation, input_shape: tuple[int, ...], path: Path) -> Path:
    """Write `network` as an ExecuTorch program in float32; its contract is `Exporter`'s.

    Raises: ExportError. Cost: 3-15 s a network, and 10 s to import the library for the first one of a process.
    """
    from compress.export.normalised import exportable

    return write_pte(exportable(network, normalisation, input_shape), input_shape, path)


def write_pte(whole: nn.Module, input_shape: tuple[int, ...], path: Path) -> Path:
    """A network in its simplest form, or a graph that PT2E has quantized, as the program that XNNPACK runs. What
    XNNPACK has no kernel for stays with the runtime's portable kernels, which are slow; see `delegation`."""
    import torch

    x = (torch.zeros(1, *input_shape),)
    with _explained(), quiet(), torch.no_grad():
        warnings.simplefilter("ignore")
        exir, partitioner = _library()
        program = torch.export.export(whole, x)
        edge = exir.to_edge_transform_and_lower(program, partitioner=[partitioner()])
        delegated, operators = operators_of(edge.exported_program().graph_module)
        told = {DELEGATED: delegated, ALL: operators}
        counted = exir.EdgeProgramManager({"forward": edge.exported_program()}, told, edge.compile_config)
        made = counted.to_executorch().buffer
    try:
        path.write_bytes(made)
    except OSError as error:
        raise ExportError(f"cannot write {path}: {error.strerror}. Check the folder and the free space.") from error
    return path


def operators_of(lowered: GraphModule) -> tuple[int, int]:
    """(how many operators of a lowered graph XNNPACK computes, how many there are in all)."""
    delegated = operators = 0
    for node in lowered.graph.nodes:
        if node.op != "call_function" or "getitem" in str(node.target):
            continue
        if "executorch_call_delegate" in str(node.target):
            inside = getattr(lowered, node.args[0].target).original_module.graph.nodes
            count = sum(n.op == "call_function" and "getitem" not in str(n.target) for n in inside)
            delegated, operators = delegated + count, operators + count
        else:
            operators += 1
    return delegated, operators


def delegation(path: Path) -> Mapping[str, int | float]:
    """{delegated_operators, operators, delegated_share} of a file that Lathe wrote. Raises: ExportError."""
    counts: dict[str, int | float] = {}
    with _runnable(path):
        program = open_pte(path, 1)
        for name in (DELEGATED, ALL):
            counts[name] = int(program.load_method(name).call(())[0])
    return counts | {"delegated_share": counts[DELEGATED] / counts[ALL] if counts[ALL] else 0.0}


def describe_delegation(report: Mapping[str, int | float]) -> str:
    """A delegation report in words."""
    return f"{report[DELEGATED]} of {report[ALL]} operators delegated to XNNPACK"


def answers(path: Path, x: np.ndarray) -> np.ndarray:
    """(N, C, H, W) float32 raw pixels -> (N, classes) float32, by ExecuTorch. Raises: ExportError."""
    import torch

    with _runnable(path):
        method = open_pte(path, 1).load_method("forward")
        rows = [method.call((image[None].contiguous(),))[0].numpy() for image in torch.from_numpy(x).float()]
        return np.concatenate(rows)


def open_pte(path: Path, threads: int) -> Any:
    """The program in the runtime that measures it. Raises: what the runtime raises; ImportError."""
    from compress.runner.engines.executorch import open_program

    return open_program(str(path), threads)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except ExportError:
        raise
    except Exception as error:
        first = next((line for line in str(error).splitlines() if line.strip()), "no message")
        raise ExportError(
            f"ExecuTorch does not take the network: {type(error).__name__}: {first[:300]} "
            "Build the block from layers of static shapes, or write `onnx`."
        ) from error


@contextmanager
def _runnable(path: Path) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ExportError(EXTRA) from error
    except Exception as error:  # the runtime raises RuntimeError for everything
        first = next((line for line in str(error).splitlines() if line.strip()), "no message")
        raise ExportError(f"ExecuTorch cannot run {path}: {first[:300]} Export the network again.") from error


def _library() -> tuple[Any, Any]:
    """(executorch.exir, the partitioner for XNNPACK). Raises: ExportError: if it is not installed."""
    try:
        from executorch import exir  # pyright: ignore[reportMissingImports]
        from executorch.backends.xnnpack.partition import (  # pyright: ignore[reportMissingImports]
            xnnpack_partitioner as partition,
        )
    except ImportError as error:
        raise ExportError(EXTRA) from error
    return exir, partition.XnnpackPartitioner


EXPORTERS.register("pte")(Exporter(export_pte, answers, ".pte", 1e-4, write_pte))
