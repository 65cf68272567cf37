"""Memory that a file's tensors take while it runs: what an engine that plans ahead reserves at once, its arena."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from compress.export import ExportError
from compress.export.session import optimised, session_options
from compress.runner.engines import Shapes, engine, first_line
from compress.runner.feeding import sizes_of, values_for


def arena_bytes(path: Path, shapes: Shapes | None = None) -> int:
    """Bytes of the tensors that are there at once, at the peak, in the graph that ONNX Runtime makes of a file.

    Inputs and outputs count, weights do not. Tensors are taken as they are, one after the other in the graph's order:
    an engine that writes a result over its input needs less, one that copies needs more. An int8 file needs a quarter
    of a float one where all of it is fused, more where a part is computed in float. shapes: of inputs that leave sizes
    open, else 1. Raises: ExportError; Unrunnable where an input cannot be fed. Cost: two sessions, and one run.
    """
    import onnxruntime as ort

    model = optimised(path)
    graph = model.graph
    named = [name for node in graph.node for name in node.output if name]
    outputs = [output.name for output in graph.output]
    graph.output.extend(_named(name) for name in named if name not in outputs)
    options = session_options()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL  # it is done
    fed = _inputs(path, shapes or {})
    try:
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        found = dict(zip(named, session.run(named, fed), strict=True))
    except Exception as error:  # onnxruntime's exceptions have no common ancestor but Exception
        raise ExportError(f"the tensors of {path} cannot be read: {first_line(error)}") from error
    sizes = {name: int(getattr(value, "nbytes", 0)) for name, value in {**fed, **found}.items()}
    return peak([(node.input, node.output) for node in graph.node], sizes, list(fed), outputs)


def _inputs(path: Path, shapes: Shapes) -> dict[str, np.ndarray]:
    generator, given = np.random.default_rng(0), engine("onnxruntime").open_file(str(path), {}).inputs
    sizes = {each.name: sizes_of(each, shapes.get(each.name), path.name)[0] for each in given}
    return {each.name: values_for(each, sizes[each.name], generator, path.name) for each in given}


def peak(
    nodes: Sequence[tuple[Iterable[str], Iterable[str]]],
    sizes: Mapping[str, int],
    inputs: Sequence[str],
    outputs: Sequence[str],
) -> int:
    """The most bytes alive at once: a tensor is from the node that makes it to the last one that reads it.

    nodes: (names read, names made) in the order they run. sizes: of all but the weights, which do not count.
    """
    last = {name: i for i, (read, _) in enumerate(nodes) for name in read} | dict.fromkeys(outputs, len(nodes))
    alive, most = set(inputs), 0
    for i, (_, made) in enumerate(nodes):
        alive |= set(made)
        most = max(most, sum(sizes.get(name, 0) for name in alive))
        alive = {name for name in alive if last.get(name, -1) > i}
    return most


def _named(name: str) -> Any:
    import onnx

    return onnx.helper.make_empty_tensor_value_info(name)
