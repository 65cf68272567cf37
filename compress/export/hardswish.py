"""Hard-swish as the one operator that ONNX has for it.

ONNX Runtime's rewrites write it out as x * HardSigmoid(x) and compute it as fast either way. Other runtimes look for
the operator: OpenVINO 2026.4 makes it part of the convolution before it, and where it does not find it, it computes
HardSigmoid by a slow loop and reorders the tensor before and after (2 to 6 times the block's latency, studies/LOG.md).
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

SINCE = 14  # ONNX's operator set
SLOPE, OFFSET = 1 / 6, 0.5
ONNX_SLOPE, ONNX_OFFSET = 0.2, 0.5  # of a HardSigmoid that does not say


def restore_hardswish(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replace, in place, x * HardSigmoid(x) of hard-swish's slope by HardSwish(x). Returns the model."""
    if max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0) < SINCE:
        return model
    nodes = model.graph.node
    read = Counter(name for node in nodes for name in node.input) + Counter(o.name for o in model.graph.output)
    gates = {node.output[0]: node for node in nodes if _is_gate(node) and read[node.output[0]] == 1}
    for node in [node for node in nodes if node.op_type == "Mul"]:
        for x, gate in (node.input, reversed(node.input)):
            if gate in gates and gates[gate].input[0] == x:
                nodes.remove(gates.pop(gate))
                node.op_type = "HardSwish"
                node.input[:] = [x]
                break
    return model


def _is_gate(node: onnx.NodeProto) -> bool:
    """HardSigmoid as hard-swish has it."""
    if node.op_type != "HardSigmoid":
        return False
    said = {attribute.name: attribute.f for attribute in node.attribute}
    slope, offset = said.get("alpha", ONNX_SLOPE), said.get("beta", ONNX_OFFSET)
    return math.isclose(slope, SLOPE, rel_tol=1e-5) and math.isclose(offset, OFFSET, rel_tol=1e-5)
