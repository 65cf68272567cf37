"""What a network's kernels have to do: for each the more of its arithmetic and its traffic, added up.

The roofline (Williams et al. 2009, doi:10.1145/1498765.1498785) says that a kernel takes as long as its multiply-adds
or as long as the numbers it reads and writes, whichever is more; a network is a sequence of kernels, so these maxima
add up, while MACs and bytes of the whole network do not tell who waits for what.
"""

import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from spaces.merge import merge
from spaces.network import Piece, skeleton

MACS_PER_ELEMENT = 4.0  # multiply-adds in the time that one number travels; other ratios predicted no better
FOLDED = "batch_norm"  # into the layer before it, on export
SMOOTH = {"gelu", "hardswish", "hardswish_", "silu", "silu_"}  # activations that some engines fuse and others do not


@dataclass(frozen=True)
class Kernels:
    """Of one piece: how many kernels; the sum of max(MACs, 4 * elements read and written) over those that multiply; the
    elements that all others read and write. smooth: how many are activations such as GELU, SiLU and hard-swish, and the
    elements that these write."""

    kernels: int
    waterline: float
    moved: float
    smooth: tuple[int, float] = (0, 0.0)


@lru_cache(maxsize=16384)
def kernels_of(piece: Piece, shape: tuple[int, ...]) -> tuple[Kernels, tuple[int, ...]]:
    """Kernels of one piece for an input of `shape` (without the batch), and the shape it puts out. 3-20 ms if new."""
    module = merge(copy.deepcopy(skeleton(piece)))
    with torch.no_grad(), _Kernels() as seen:
        out = module(torch.empty(1, *shape, device="meta"))
    return Kernels(seen.kernels, seen.waterline, seen.moved, (seen.smooth, seen.smoothed)), tuple(out.shape[1:])


class _Kernels(TorchDispatchMode):
    """Sees every operation that reads and writes tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels, self.waterline, self.moved = 0, 0.0, 0.0
        self.smooth, self.smoothed = 0, 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        read = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        if read and not func.is_view and FOLDED not in str(func):
            self.kernels += 1
            written = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
            if func._overloadpacket.__name__ in SMOOTH:
                self.smooth += 1
                self.smoothed += sum(tensor.numel() for tensor in written)
            elements = sum(tensor.numel() for tensor in (*read, *written))
            if func._overloadpacket in flop_registry:
                flops = flop_registry[func._overloadpacket](*args, **kwargs, out_val=out)
                self.waterline += max(flops / 2, MACS_PER_ELEMENT * elements)
            else:
                self.moved += elements
        return out
