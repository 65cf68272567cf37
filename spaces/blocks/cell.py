"""A cell: a small graph of operations. Source: NAS-Bench-201, Dong & Yang 2020, arXiv:2001.00326.

Differs: x + norm(cell(x)), so that it starts as nothing like every block; each position has a cell of its own. A 1 x 1
convolution is the centre of its edge's 3 x 3 one in the shared weights.
"""

import itertools
import math
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor, nn

from spaces.blocks.block import BLOCKS, check_positive
from spaces.layers import start_at_zero

OPERATIONS = ("none", "skip", "avgpool3x3", "conv1x1", "conv3x3")  # from least to most
EDGES = ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))  # to and from which node
NAMES = tuple(f"e{to}{source}" for to, source in EDGES)
NODES = (1, 2, 3)  # 0 is the input, the last is what comes out
FLOAT_BYTES = 4
Operations = tuple[str, ...]  # one an edge


@BLOCKS.register("cell")
@dataclass(frozen=True)
class Cell:
    """eXY: what is done on the edge from node Y to node X; a node is the sum of its edges, node 0 the input and node 3
    the output. cells: so many equal ones in a row, each with weights of its own."""

    e10: str = "conv3x3"
    e20: str = "conv3x3"
    e21: str = "conv3x3"
    e30: str = "conv3x3"
    e31: str = "conv3x3"
    e32: str = "conv3x3"
    cells: int = 1
    kind: ClassVar[str] = "cell"
    separate: ClassVar[tuple[str, ...]] = ()
    allowed: ClassVar[dict[str, tuple[str, ...]]] = dict.fromkeys(NAMES, OPERATIONS)
    ordered: ClassVar[tuple[str, ...]] = NAMES

    def __post_init__(self) -> None:
        check_positive(cells=self.cells)

    @property
    def operations(self) -> Operations:
        """One an edge, in the order of EDGES."""
        return tuple(getattr(self, name) for name in NAMES)

    def build(self, width: int) -> nn.Module:
        edges = {name: op for name, op in zip(NAMES, live(self.operations), strict=True) if op != "none"}
        return nn.Sequential(OrderedDict((f"cell{n}", CellLayers(width, edges)) for n in range(self.cells)))

    def units(self, width: int) -> dict[str, int]:
        """None: what flows along the edges has the width of the stage."""
        return {}

    def resized(self, width: int, dimension: str, units: int) -> "Cell":
        raise ValueError(f"a cell has no dimension {dimension!r} of its own.")

    def counts(self, width: int, shape: tuple[int, ...], dims: int) -> tuple[int, int, int]:
        """Parameters, MACs and peak bytes as counting its layers would find them, 500 times as fast: a search looks at
        thousands of different cells."""
        operations = live(self.operations)
        taps = [int(op[-1]) ** dims for op in operations if op.startswith("conv")]
        params = width * width * sum(taps) + 2 * width * (len(taps) + 1)
        positions = math.prod(shape[1:])
        tensors, norms = most_alive(operations)
        tensors += 1 + (self.cells > 1)  # the input, and the second cell's
        peak_bytes = FLOAT_BYTES * width * (tensors * positions + 2 * norms)
        return self.cells * params, self.cells * width * width * sum(taps) * positions, peak_bytes

    def simplest(self) -> "Cell":
        """The cell of fewest edges that computes the same."""
        return replace(self, **dict(zip(NAMES, _simplest()[formula(self.operations)], strict=True)))

    def parts(self) -> Counter[str]:
        """How many ways lead through each sequence of operations, skipped edges left out. Source: path encoding, White
        et al. 2021, arXiv:1910.11858."""
        by_edge = dict(zip(EDGES, self.operations, strict=True))
        found: Counter[str] = Counter()
        for between in ((), (1,), (2,), (1, 2)):
            ops = [by_edge[to, source] for source, to in itertools.pairwise((0, *between, NODES[-1]))]
            if "none" not in ops:
                found[" ".join(op for op in ops if op != "skip")] += 1
        return found


class CellLayers(nn.Module):
    """The layers of one cell. edges: {name: operation} of those that are there."""

    def __init__(self, width: int, edges: Mapping[str, str]) -> None:
        super().__init__()
        self.edges = nn.ModuleDict({name: _operation(op, width) for name, op in edges.items()})
        self.norm = start_at_zero(nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        nodes = {0: x}
        for (to, source), name in zip(EDGES, NAMES, strict=True):
            if name in self.edges:
                nodes[to] = _joined(nodes.get(to), self.edges[name](nodes[source]))
        out = nodes[NODES[-1]] if NODES[-1] in nodes else torch.zeros_like(x)
        return x + self.norm(out)


def _joined(so_far: Tensor | None, term: Tensor) -> Tensor:
    return term if so_far is None else so_far + term


def _operation(name: str, width: int) -> nn.Module:
    if name == "skip":
        return nn.Identity()
    if name == "avgpool3x3":
        return nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    kernel = int(name[-1])
    layers = {"act": nn.ReLU(), "conv": nn.Conv2d(width, width, kernel, padding=kernel // 2, bias=False)}
    return nn.Sequential(OrderedDict(layers, norm=nn.BatchNorm2d(width)))


def live(operations: Operations) -> Operations:
    """`none` on edges that come from nowhere or lead nowhere."""
    there = [(edge, op) for edge, op in zip(EDGES, operations, strict=True) if op != "none"]
    reached, used = {0}, {NODES[-1]}
    for (to, source), _ in there:  # in the order of the nodes they lead to
        reached |= {to} if source in reached else set()
    for (to, source), _ in reversed(there):
        used |= {source} if to in used else set()
    return tuple(
        op if source in reached and to in used else "none" for (to, source), op in zip(EDGES, operations, strict=True)
    )


def most_alive(operations: Operations) -> tuple[int, int]:
    """How many tensors of the input's size a cell holds at once besides its input, in the order of `CellLayers`, and
    whether the statistics of a norm are held with them."""
    nodes: dict[int, int] = {0: 0}  # which tensor a node holds; 0 is the input
    made, most = 0, (0, 0)
    for (to, source), op in zip(EDGES, operations, strict=True):
        if op == "none":
            continue
        held, term = len({*nodes.values()} - {0}), nodes[source]
        if op != "skip":
            made, term = made + 1, made + 1
            most = max(most, (held + 2, 1) if op.startswith("conv") else (held + 1, 0))  # the norm's input and output
        if to in nodes:
            most = max(most, (len({*nodes.values(), term} - {0}) + 1, 0))
            made, term = made + 1, made + 1
        nodes[to] = term
    held = len({*nodes.values(), nodes.get(NODES[-1], -1)} - {0})
    return max(most, (held + 2, 0))  # the last norm's output, and the sum with the input


def formula(operations: Operations) -> str:
    """What a cell computes of its input x: the same for cells that differ in dead edges, in the order of sums, or in
    the way that a skipped edge takes."""
    nodes = {0: "x"}
    for node in NODES:
        into = [(op, nodes.get(source, "")) for (to, source), op in zip(EDGES, operations, strict=True) if to == node]
        terms = sorted(of if op == "skip" else f"{op}({of})" for op, of in into if op != "none" and of)
        nodes[node] = f"[{'+'.join(terms)}]" if len(terms) > 1 else "".join(terms)
    return nodes[NODES[-1]]


@lru_cache(maxsize=1)
def _simplest() -> dict[str, Operations]:
    """For every formula the cell of fewest edges. Cost: half a second, once a process."""
    found: dict[str, Operations] = {}
    rank = OPERATIONS.index
    every = itertools.product(OPERATIONS, repeat=len(EDGES))
    for cell in sorted(every, key=lambda cell: (sum(op != "none" for op in cell), [rank(op) for op in cell])):
        found.setdefault(formula(cell), cell)
    return found
