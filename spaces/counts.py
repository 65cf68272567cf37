"""What a network costs before it is built: parameters, MACs, and the most memory its activations need at once.

Counted on the meta device, piece by piece and cached, so that a whole network is a sum of a few lookups.
"""

import weakref
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from spaces.architecture import Architecture
from spaces.blocks.block import HasCounts
from spaces.merge import merge
from spaces.network import Piece, Placed, pieces

FLOAT_BYTES = 4


@dataclass(frozen=True)
class Counts:
    """params: learned numbers (no BatchNorm statistics). macs: multiply-adds for one image. peak_bytes: float32
    activations alive at once, evaluated in order, without reuse in place."""

    params: int
    macs: int
    peak_bytes: int


def count(arch: Architecture) -> Counts:
    """Exact counts of a network for one image.

    MACs are those the exported file executes: a densely evaluated mixture counts all its experts, and attention is
    counted on meta because FlopCounterMode omits scaled_dot_product_attention on a real CPU model.
    """
    shape, params, macs, peak = arch.input_shape, 0, 0, 0
    for _, piece in pieces(arch):
        part, shape = count_piece(piece, shape)
        params, macs, peak = params + part.params, macs + part.macs, max(peak, part.peak_bytes)
    return Counts(params, macs, peak)


@lru_cache(maxsize=16384)
def count_piece(piece: Piece, shape: tuple[int, ...]) -> tuple[Counts, tuple[int, ...]]:
    """Counts of one piece for an input of `shape` (without the batch), and the shape it puts out. 5-20 ms if new, but
    for blocks that count themselves."""
    if isinstance(piece, Placed) and isinstance(piece.block, HasCounts):
        return Counts(*piece.block.counts(piece.width, shape, piece.dims)), shape
    with torch.device("meta"):
        module, x = merge(piece.build().eval()), torch.empty(1, *shape)
    counts, out = count_module(module, x)
    return counts, tuple(out.shape[1:])


def count_module(module: nn.Module, x: Tensor) -> tuple[Counts, Tensor]:
    """Counts of one evaluation of `module` on `x`, both on the meta device, and what it puts out."""
    elementwise: list[int] = []
    hooks = [
        layer.register_forward_hook(lambda layer, _, out: elementwise.append(layer.macs_per_element * out.numel()))
        for layer in module.modules()
        if hasattr(layer, "macs_per_element")
    ]
    with torch.no_grad(), _Watched() as watched:
        out = module(x)
    for hook in hooks:
        hook.remove()
    params = sum(parameter.numel() for parameter in module.parameters())
    peak_bytes = watched.peak_bytes + x.numel() * FLOAT_BYTES
    return Counts(params, watched.flops // 2 + sum(elementwise), peak_bytes), out


class _Watched(TorchDispatchMode):
    """Adds up the flops of operations, by torch's own table of formulas, and follows the bytes of the tensors they make
    for as long as these are referenced; views count once."""

    def __init__(self) -> None:
        super().__init__()
        self.flops = self.alive_bytes = self.peak_bytes = 0
        self._seen: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if func._overloadpacket in flop_registry:
            self.flops += flop_registry[func._overloadpacket](*args, **kwargs, out_val=out)
        if not func.is_view:
            for tensor in out if isinstance(out, tuple | list) else (out,):
                if isinstance(tensor, Tensor):
                    self._follow(tensor)
        self.peak_bytes = max(self.peak_bytes, self.alive_bytes)
        return out

    def _follow(self, tensor: Tensor) -> None:
        storage, size = tensor.untyped_storage()._cdata, tensor.numel() * FLOAT_BYTES
        if storage not in self._seen:
            self._seen.add(storage)
            self.alive_bytes += size
            weakref.finalize(tensor, self._freed, size, storage)

    def _freed(self, size: int, storage: int) -> None:
        self.alive_bytes -= size
        self._seen.discard(storage)
