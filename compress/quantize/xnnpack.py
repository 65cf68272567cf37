"""The int8 program of a network for ExecuTorch, in the scheme that XNNPACK computes in.

Through torchao's PT2E with ExecuTorch's own quantizer for XNNPACK: int8 activations with a zero point, int8 symmetric
weights per output channel. What ONNX Runtime fuses is another scheme (uint8 activations, `ort_quantizer`), so the
ranges are found anew, from the same calibration images.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from compress.export.pte import EXTRA, write_pte
from compress.export.quiet import quiet
from compress.quantize import QuantizeError
from compress.quantize.pt2e import keep_apart

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

STATIC, DYNAMIC = SCHEMES = ("static", "dynamic")


def write_int8_pte(whole: nn.Module, calibration: Tensor, scheme: str, path: Path) -> Path:
    """Quantize an `exportable` network and lower it. Raises: QuantizeError, ExportError. Cost: 5-20 s."""
    return write_pte(xnnpack_simulated(whole, calibration, scheme), tuple(calibration.shape[1:]), path)


def xnnpack_simulated(whole: nn.Module, calibration: Tensor, scheme: str) -> GraphModule:
    """The int8 network as torch computes it: (1, C, H, W) raw pixels -> (1, classes) logits.

    calibration: (n, C, H, W) raw pixels of the training part. scheme: static, or dynamic for products alone, whose
    ranges are then taken at run time. What stands before the first layer with weights, the normalisation, stays float,
    and the numbers of tokens that a block chooses stay integers.
    Raises: QuantizeError. Cost: 2-5 s, and n forward passes.
    """
    if scheme not in SCHEMES:
        raise QuantizeError(f"XNNPACK has no int8 of the kind {scheme!r}, only {' and '.join(SCHEMES)}.")
    try:
        with quiet():
            warnings.simplefilter("ignore")
            from executorch.backends.xnnpack.quantizer import (  # pyright: ignore[reportMissingImports]
                xnnpack_quantizer as library,
            )
            from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    except ImportError as error:
        raise QuantizeError(EXTRA) from error
    try:
        with quiet(), torch.no_grad():
            warnings.simplefilter("ignore")
            graph = torch.export.export(whole, (calibration[:1],)).module()
            quantizer: Any = library.XNNPACKQuantizer()
            settings = library.get_symmetric_quantization_config(is_per_channel=True, is_dynamic=scheme == DYNAMIC)
            quantizer.set_global(settings)
            left = {node.name for node in (*ahead_of_weights(graph.graph.nodes), *of_integers(graph.graph.nodes))}
            quantizer.set_filter_function(lambda node: node.name not in left)
            prepared = prepare_pt2e(keep_apart(graph), quantizer)
            for image in calibration.split(1):
                prepared(image)
            return convert_pt2e(prepared)
    except Exception as error:
        first = next((line for line in str(error).splitlines() if line.strip()), "no message")
        raise QuantizeError(
            f"the network cannot be quantized for XNNPACK: {type(error).__name__}: {first[:300]} "
            "Build it from layers that torch.export knows, or leave the step out."
        ) from error


def ahead_of_weights(nodes: Iterable[Node]) -> list[Node]:
    """What computes before the first convolution or linear layer."""
    weighted = {torch.ops.aten.conv1d.default, torch.ops.aten.conv2d.default, torch.ops.aten.linear.default}
    found = []
    for node in nodes:
        if node.target in weighted:
            break
        if node.op == "call_function":
            found.append(node)
    return found


def of_integers(nodes: Iterable[Node]) -> list[Node]:
    """What computes integers: additions of indices, which the quantizer would take for additions of activations."""
    values = ((node, node.meta.get("val")) for node in nodes)
    return [node for node, value in values if isinstance(value, Tensor) and not value.is_floating_point()]
