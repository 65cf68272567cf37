"""The integers that ONNX Runtime computes, in torch: a simulated int8 network with the runtime's own arithmetic.

PT2E simulates int8 in float: a convolution of dequantized numbers, its bias in float, then rounding. The runtime adds
integers, its bias is an integer too, and it goes from one grid to the next by one float32 factor. Where a number lies
between two integers they round differently, layer after layer: 4 answers of 1,000 differed on CIFAR-10. Here what lies
between quantized tensors (convolutions, linear layers, additions) is computed as the runtime does, to the last bit.
Sources: bias_quantization.cc, quantize.cpp and qladd_avx2.cpp of ONNX Runtime. On processors without fused
multiply-add, an addition that lies between two integers may differ by one.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torch.nn import functional

from compress.quantize.ort_quantizer import ADDITIONS, CLIPS

aten = torch.ops.aten
coded = torch.ops.quantized_decomposed
QUANTIZE, DEQUANTIZE = coded.quantize_per_tensor.default, coded.dequantize_per_tensor.default
DEQUANTIZE_WEIGHT = coded.dequantize_per_channel.default
EXACT_FLOAT32 = 2**24  # integers up to here, and sums of them that stay below it, are exact in float32


class Grid(NamedTuple):
    """uint8 numbers q that stand for scale * (q - zero). low, high: the smallest and largest that occur."""

    scale: float
    zero: int
    low: int = 0
    high: int = 255


def as_the_runtime_computes(simulated: GraphModule) -> GraphModule:
    """A copy of a `pt2e.simulated` graph, with the same inputs and outputs, that computes in integers as the runtime.

    What the runtime computes in float (a mean, an attention) stays float, as torch computes it. Cost: milliseconds; a
    forward pass costs 1-2 times the graph's.
    """
    graph = without_guards(simulated)
    for node in list(graph.graph.nodes):
        if node.target is QUANTIZE:
            with graph.graph.inserting_before(node):
                node.replace_all_uses_with(integer_node(graph.graph, node))
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph


def without_guards(simulated: GraphModule) -> GraphModule:
    """A copy that does not ask for the batch that was captured: right where no layer has that number in it."""
    graph = copy.deepcopy(simulated)
    for node in list(graph.graph.nodes):
        if node.target == "_guards_fn":
            graph.graph.erase_node(node)
    graph.recompile()
    return graph


def integer_node(graph: torch.fx.Graph, node: Node) -> Node:
    """The node that computes what `node` quantizes, from integers where it can be."""
    grid = grid_of(node)
    made, clipped = before_clip(node.all_input_nodes[0], grid)
    operands = [operand for operand in made.args[:2] if isinstance(operand, Node)]
    kinds = [operand.target for operand in operands]
    if made.target in ADDITIONS and kinds == [DEQUANTIZE, DEQUANTIZE]:
        pairs = [(operand.args[0], grid_of(operand)) for operand in operands]
        return graph.call_function(add, (*pairs, clipped))
    compute = PRODUCTS.get(made.target)
    if compute and kinds == [DEQUANTIZE, DEQUANTIZE_WEIGHT] and (compute is convolve or is_flat(made)):
        x, weight = operands
        bias, settings = (*made.args, None)[2], made.args[3:]
        return graph.call_function(
            compute, (x.args[0], grid_of(x), *weight.args[:2], bias, clipped, *settings)
        )  # fmt: skip
    return graph.call_function(quantize, (node.args[0], grid))


def grid_of(node: Node) -> Grid:
    """The grid of a node that quantizes or dequantizes."""
    scale, zero = node.args[1:3]
    return Grid(float(scale), int(zero))  # type: ignore[arg-type]


def before_clip(source: Node, grid: Grid) -> tuple[Node, Grid]:
    """What ReLU or ReLU6 clips, if only that is quantized, and the grid cut to what it lets through."""
    if source.target not in CLIPS or len(source.all_input_nodes[0].users) > 1:
        return source, grid
    return source.all_input_nodes[0], clipped_grid(grid, source)


def is_flat(node: Node) -> bool:
    """True for a product of (N, features): with more dimensions the runtime adds the bias in float."""
    return node.meta["val"].ndim == 2


def clipped_grid(grid: Grid, clip: Node) -> Grid:
    """The grid behind ReLU or ReLU6: rounding is monotone, so clipping before it is clipping behind it."""
    bounds: Any = (0.0, float("inf"))
    if clip.target in (aten.hardtanh.default, aten.hardtanh_.default):
        bounds = (*clip.args[1:], *(-1.0, 1.0)[len(clip.args) - 1 :])
    elif clip.target is aten.relu6.default:
        bounds = (0.0, 6.0)
    low, high = quantize(torch.tensor(bounds), grid).tolist()
    return grid._replace(low=low, high=high)


def quantize(x: Tensor, grid: Grid) -> Tensor:
    """Float -> uint8: divided by the scale, clipped, rounded half to even. (torch multiplies by the reciprocal.)"""
    return _on_grid(x / torch.tensor(grid.scale), grid)


def convolve(
    x: Tensor, x_grid: Grid, weight: Tensor, weight_scale: Tensor, bias: Tensor | None, grid: Grid, *settings: Any
) -> Tensor:
    """uint8 (N, C, ...) and int8 (O, C / groups, ...) -> uint8. settings: stride, padding, dilation, groups."""
    operation = functional.conv2d if weight.ndim == 4 else functional.conv1d
    sums = _sums(x, x_grid, weight, lambda x, weight: operation(x, weight, None, *settings))
    return _rescaled(sums, x_grid, weight_scale, bias, grid, (-1,) + (1,) * (weight.ndim - 2))


def linear(x: Tensor, x_grid: Grid, weight: Tensor, weight_scale: Tensor, bias: Tensor | None, grid: Grid) -> Tensor:
    """uint8 (N, C) and int8 (O, C) -> uint8 (N, O)."""
    return _rescaled(_sums(x, x_grid, weight, functional.linear), x_grid, weight_scale, bias, grid, (-1,))


PRODUCTS: dict[Any, Callable[..., Tensor]] = {
    aten.conv1d.default: convolve,
    aten.conv2d.default: convolve,
    aten.linear.default: linear,
}


def add(a: tuple[Tensor, Grid], b: tuple[Tensor, Grid], grid: Grid) -> Tensor:
    """Two uint8 tensors of one shape, each with its grid -> uint8: float32, but each product is added unrounded."""
    (x, of_x), (y, of_y) = a, b
    x_factor, y_factor = (torch.tensor(each.scale) / torch.tensor(grid.scale) for each in (of_x, of_y))
    fixed = grid.zero - (x_factor * of_x.zero + y_factor * of_y.zero)
    total = (y.double() * y_factor.double() + fixed.double()).float()
    total = (x.double() * x_factor.double() + total.double()).float()
    return total.round().clamp(grid.low, grid.high).to(torch.uint8)


def _sums(x: Tensor, grid: Grid, weight: Tensor, operation: Any) -> Tensor:
    """int32 sums of products. In float32 where no partial sum can leave the integers it holds, else in float64."""
    largest = int(weight.flatten(1).int().abs().sum(1).max()) * max(grid.zero, 255 - grid.zero)
    dtype = torch.float32 if largest < EXACT_FLOAT32 else torch.float64
    return operation(x.to(dtype) - grid.zero, weight.to(dtype)).to(torch.int32)


def _rescaled(
    sums: Tensor, x_grid: Grid, weight_scale: Tensor, bias: Tensor | None, grid: Grid, shape: tuple[int, ...]
) -> Tensor:
    """Sums and an integer bias, times the float32 factor from grid to grid of each output channel."""
    scale = torch.tensor(x_grid.scale) * weight_scale.float()
    if bias is not None:
        sums = sums + (bias / scale).round().to(torch.int32).reshape(shape)
    return _on_grid(sums.float() * (scale / torch.tensor(grid.scale)).reshape(shape), grid)


def _on_grid(x: Tensor, grid: Grid) -> Tensor:
    low, high = grid.low - grid.zero, grid.high - grid.zero
    return (x.clamp(low, high).round() + grid.zero).to(torch.uint8)
