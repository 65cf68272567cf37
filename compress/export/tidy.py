"""Equal bytes for equal networks and nothing in a file that its runtime does not need."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress.export import ExportError
from compress.export.hardswish import restore_hardswish
from compress.scratch import scratch_folder

if TYPE_CHECKING:
    import onnx

MAX_PASSES = 5


def write_tidy(model: onnx.ModelProto, path: Path) -> Path:
    """Simplify, strip and write a model that was just exported.

    Raises: ExportError: if it is no valid model, or its shapes are not fixed.
    """
    simple = simplify(model)
    for value in (*simple.graph.input, *simple.graph.output):
        if not all(size.dim_value for size in value.type.tensor_type.shape.dim):
            raise ExportError(
                f"the shape of the file's {value.name} depends on the pixels. "
                "Build the block from layers with static shapes that torch.onnx.export knows."
            )
    return write(strip(simple), path)


def write(model: onnx.ModelProto, path: Path) -> Path:
    """Write `model`, equal bytes for equal models. Raises ExportError if the folder does not take it."""
    try:
        path.write_bytes(model.SerializeToString(deterministic=True))
    except OSError as error:
        raise ExportError(f"cannot write {path}: {error.strerror}. Check the folder and the free space.") from error
    return path


def simplify(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fold constants and BatchNorm and drop what does nothing, by ONNX Runtime's "basic" rewrites.

    They keep to standard operators and hold for every processor. Without them a file has up to 5 times as many nodes,
    which an int8 quantizer takes for real ones. Repeated until nothing changes: a fold makes way for the next.
    Cost: 0.05-0.2 s.
    """
    for _ in range(MAX_PASSES):
        simpler = _simplify_once(model)
        if any(node.domain not in ("", "ai.onnx") for node in simpler.graph.node):
            break
        changed = len(simpler.graph.node) != len(model.graph.node)
        model = simpler
        if not changed:
            break
    return model


def _simplify_once(model: onnx.ModelProto) -> onnx.ModelProto:
    import onnx
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    with scratch_folder() as folder:
        file = folder / "simple.onnx"
        options.optimized_model_filepath = str(file)
        try:
            ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions have no common ancestor but Exception
            reason = (str(error).splitlines() or [""])[0]
            raise ExportError(
                f"ONNX Runtime does not take the exported network: {reason} "
                "Build the block from layers with static shapes, or update onnxruntime."
            ) from error
        return onnx.load(file)


def strip(model: onnx.ModelProto) -> onnx.ModelProto:
    """Remove, in place, what was noted for people: 164 of 577 kB in a digits network; and name hard-swish again, which
    ONNX Runtime's rewrites write out. Returns the model.

    Weights keep their names, so that a file can be traced to its network; values in between become t0, t1, ...
    """
    model.doc_string = model.producer_version = model.domain = ""
    model.producer_name, model.model_version = "lathe", 0
    graph: Any = model.graph
    graph.name, graph.doc_string = "network", ""
    del model.metadata_props[:], graph.metadata_props[:], graph.value_info[:]
    for part in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        part.doc_string = ""
        del part.metadata_props[:]
    _shorten_names(graph)
    restore_hardswish(model)
    used = {node.domain for node in graph.node}
    opsets = sorted({(o.domain, o.version) for o in model.opset_import if o.domain in used})
    del model.opset_import[:]
    for domain, version in opsets:
        model.opset_import.add(domain=domain, version=version)
    return model


def _shorten_names(graph: Any) -> None:
    if any(attribute.HasField("g") for node in graph.node for attribute in node.attribute):
        return  # a branch or a loop may use our names from inside
    fixed = {part.name for part in (*graph.input, *graph.output, *graph.initializer)}
    values = [name for node in graph.node for name in node.output if name and name not in fixed]
    free = (name for name in (f"t{i}" for i in range(len(values) + len(fixed))) if name not in fixed)
    short = dict(zip(values, free, strict=False))
    for node in graph.node:
        node.name = ""
        node.input[:] = [short.get(name, name) for name in node.input]
        node.output[:] = [short.get(name, name) for name in node.output]
