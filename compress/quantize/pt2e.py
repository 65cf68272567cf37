"""A network with int8 in it, in torch: to train with, and to write as the file that ONNX Runtime fuses.

Through torchao's PT2E, with our quantizer. What torch computes here is what the file computes, but for the rounding of
numbers that lie between two integers; `integers` computes those as the file does.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from compress.export import Normalisation
from compress.export.quiet import quiet
from compress.quantize import QuantizeError

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

aten = torch.ops.aten
NORMS = {aten.batch_norm.default}
CONVOLUTIONS = {aten.conv1d.default, aten.conv2d.default, aten.conv_transpose2d.input, aten.conv_transpose1d.default}


def is_installed() -> bool:
    """Whether torchao is there. Cost: nothing is imported."""
    return importlib.util.find_spec("torchao") is not None


def trainable(network: nn.Module, x: Tensor) -> GraphModule:
    """The network as a graph with fake quantizers, to be trained by batches of exactly the shape of `x`.

    Its parameters and buffers are copies with the network's names, beside the quantizers' own; `train()` and `eval()`
    do nothing to the graph, which stays that of training. BatchNorm counts as part of its convolution, whose weights
    are quantized as they will be after folding. Source: Jacob et al. 2018, arXiv:1712.05877, section 3.
    Raises: QuantizeError: if the network cannot be captured. Cost: 3-8 s.
    """
    norms = [(name, layer) for name, layer in network.named_modules() if isinstance(layer, _BatchNorm)]
    bare = [name for name, layer in norms if layer.running_mean is None]
    if bare:
        raise QuantizeError(
            f"{bare[0]} is a BatchNorm without running statistics, with which the weights before it are quantized. "
            "Let it track them, or write `quantize` in place of `qat`."
        )
    with quiet(), _explained():
        from torchao.quantization.pt2e import allow_exported_model_train_eval
        from torchao.quantization.pt2e.quantize_pt2e import prepare_qat_pt2e

        from compress.quantize.ort_quantizer import OrtQuantizer

        graph = torch.export.export(network.train(), (x,)).module()
        return allow_exported_model_train_eval(prepare_qat_pt2e(graph, OrtQuantizer(training=True)))


def simulated(network: nn.Module, normalisation: Normalisation, calibration: Tensor, batch: int = 1) -> GraphModule:
    """The int8 network as torch computes it: (batch, C, H, W) raw pixels -> (batch, classes) logits.

    calibration: (n, C, H, W) raw pixels of the training part, n a multiple of `batch`; ranges of activations are all
    that they reach there. Raises: QuantizeError. Cost: 1-3 s, and n forward passes.
    """
    from compress.export.normalised import exportable

    whole = exportable(network, normalisation, calibration.shape[1:])
    with quiet(), _explained(), torch.no_grad():
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

        from compress.quantize.ort_quantizer import OrtQuantizer

        graph = torch.export.export(whole, (calibration[:batch],)).module()
        prepared = prepare_pt2e(keep_apart(graph), OrtQuantizer())
        for images in calibration.split(batch):
            prepared(images)
        return convert_pt2e(prepared)


def keep_apart(graph: GraphModule) -> GraphModule:
    """Put a copy, in place, between a BatchNorm and a convolution that is not its alone. Returns the graph.

    PT2E folds every BatchNorm into the convolution before it, also where something else reads what the convolution puts
    out, or another one has its weights: what is read there would be another network's (a DenseNet lost 14 points).
    """
    for norm in [node for node in graph.graph.nodes if node.target in NORMS]:
        convolution = norm.args[0]
        if convolution.target in CONVOLUTIONS and not _is_alone(convolution):
            with graph.graph.inserting_before(norm):
                copied = graph.graph.call_function(aten.clone.default, (convolution,))
            copied.meta = dict(convolution.meta)
            norm.replace_input_with(convolution, copied)
    graph.recompile()
    return graph


def _is_alone(convolution: Node) -> bool:
    """Its BatchNorm alone reads it, and whoever has its weights has that BatchNorm too."""
    behind = {
        next((user.args[1] for user in other.users if user.target in NORMS), other)
        for other in convolution.args[1].users  # type: ignore[union-attr]
    }
    return len(convolution.users) == 1 and len(behind) == 1


def write_simulated(graph: GraphModule, input_shape: tuple[int, ...], path: Path) -> Path:
    """The ONNX file of a `simulated` network. Raises: ExportError. Cost: 3-5 s."""
    from compress.export.onnx import forget_operators, trace
    from compress.export.tidy import write_tidy

    forget_operators()
    return write_tidy(trace(graph, input_shape), path)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Whatever capturing or preparing raises, as a QuantizeError with a remedy."""
    try:
        yield
    except Exception as error:
        first = next((line for line in str(error).splitlines() if line.strip()), "no message")
        raise QuantizeError(
            f"the network cannot be captured for int8: {type(error).__name__}: {first[:300]} "
            "Build it from layers that torch.export knows, or write `quantize` in place of `qat`."
        ) from error
