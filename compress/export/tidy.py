"""Equal bytes for equal networks and nothing in a file that its runtime does not need."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress.export import ExportError

if TYPE_CHECKING:
    import onnx


def write_tidy(model: onnx.ModelProto, path: Path) -> Path:
    """Simplify, strip and write a model that was just exported. Raises ExportError if it is no valid model."""
    stripped = strip(simplify(model))
    try:
        path.write_bytes(stripped.SerializeToString(deterministic=True))
    except OSError as error:
        raise ExportError(f"cannot write {path}: {error.strerror}. Check the folder and the free space.") from error
    return path


def simplify(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fold constants and BatchNorm and drop what does nothing, by ONNX Runtime's "basic" rewrites.

    These keep to standard operators and hold for every processor. Without them a file is up to 5 times as many nodes,
    which an int8 quantizer then takes for real ones. Cost: 0.05-0.2 s.
    """
    import onnx
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    with tempfile.TemporaryDirectory(prefix="lathe-") as folder:
        file = Path(folder) / "simple.onnx"
        options.optimized_model_filepath = str(file)
        try:
            ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions have no common ancestor but Exception
            raise ExportError(f"ONNX Runtime does not take the exported network: {error}") from error
        simple = onnx.load(file)
    foreign = {node.op_type for node in simple.graph.node if node.domain not in ("", "ai.onnx")}
    return model if foreign else simple


def strip(model: onnx.ModelProto) -> onnx.ModelProto:
    """Remove, in place, what the exporter noted for people: 164 of 577 kB in a digits network. Returns the model."""
    model.doc_string = model.producer_version = model.domain = ""
    model.producer_name, model.model_version = "lathe", 0
    model.graph.name, model.graph.doc_string = "network", ""
    del model.metadata_props[:], model.graph.metadata_props[:], model.graph.value_info[:]
    graph: Any = model.graph
    for part in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        part.doc_string = ""
        del part.metadata_props[:]
    used = {node.domain for node in graph.node}
    opsets = sorted({(o.domain, o.version) for o in model.opset_import if o.domain in used})
    del model.opset_import[:]
    for domain, version in opsets:
        model.opset_import.add(domain=domain, version=version)
    return model
