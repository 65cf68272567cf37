"""What a network's kernels have to do, by kind of kernel: how many, the roofline's share of each, and their traffic.

The roofline (Williams et al. 2009, doi:10.1145/1498765.1498785) says that a kernel takes as long as its multiply-adds
or as long as the numbers it reads and writes, whichever is more; a network is a sequence of kernels, so these maxima
add up, while MACs and bytes of the whole network do not tell who waits for what. By kind, because how far an engine
stays from its roofline depends on the kernel: devices differ in that more than in anything else.
"""

import copy
from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from spaces.merge import merge
from spaces.network import Piece, skeleton

MACS_PER_ELEMENT = 4.0  # multiply-adds in the time that one number travels; other ratios predicted no better
FOLDED = "batch_norm"  # into the layer before it, on export
CONV, DENSE, GROUPED, PRODUCT = MULTIPLYING = ("conv", "dense", "grouped", "product")
OTHER = "other"
BY_NAME = {  # of those that do not multiply: the operators of torch, without the underlines around them
    "norm": {"native_layer_norm", "native_group_norm", "softmax", "safe_softmax"},
    "smooth": {"gelu", "hardswish", "silu"},  # activations that some engines fuse and others do not
    "gate": {"hardsigmoid", "sigmoid", "tanh"},
    "clip": {"clamp", "hardtanh", "relu"},
    "mean": {"amax", "max", "mean", "sum"},
}
KINDS = (*MULTIPLYING, *BY_NAME, OTHER)


class Kernels(NamedTuple):
    """Of one kind: how many; the sum of max(MACs, 4 * elements) over those that multiply; the elements that all of them
    read and write."""

    kernels: int = 0
    waterline: float = 0.0
    elements: float = 0.0


@lru_cache(maxsize=16384)
def kernels_of(piece: Piece, shape: tuple[int, ...]) -> tuple[Mapping[str, Kernels], tuple[int, ...]]:
    """Kernels of one piece by kind, for an input of `shape` (without the batch), and the shape it puts out. conv:
    dense with taps; dense: 1 x 1 and linear; grouped: depthwise too; product: of two computed tensors. 3-20 ms if new.
    """
    module = merge(copy.deepcopy(skeleton(piece)))
    with torch.no_grad(), _Seen() as seen:
        out = module(torch.empty(1, *shape, device="meta"))
    return dict(seen.found), tuple(out.shape[1:])


class _Seen(TorchDispatchMode):
    """Sees every operation that reads and writes tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.found: defaultdict[str, Kernels] = defaultdict(Kernels)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        read = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        if read and not func.is_view and FOLDED not in str(func):
            written = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
            elements, waterline = sum(tensor.numel() for tensor in (*read, *written)), 0.0
            if func._overloadpacket in flop_registry:
                flops = flop_registry[func._overloadpacket](*args, **kwargs, out_val=out)
                waterline = max(flops / 2, MACS_PER_ELEMENT * elements)
            kind = _kind(func, args)
            so_far = self.found[kind]
            self.found[kind] = Kernels(so_far.kernels + 1, so_far.waterline + waterline, so_far.elements + elements)
        return out


def _kind(func: Any, args: Any) -> str:
    name = func._overloadpacket.__name__.strip("_")
    if name == "convolution":
        weight, groups = args[1], args[8]
        if groups > 1:
            return GROUPED
        return DENSE if all(taps == 1 for taps in weight.shape[2:]) else CONV
    if func._overloadpacket in flop_registry:
        return DENSE if name in ("mm", "addmm") else PRODUCT
    return next((kind for kind, names in BY_NAME.items() if name in names), OTHER)
