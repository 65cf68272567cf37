"""Calls the Triton kernels of the group-rational activation: what they see of a tensor, their tiles, their grids."""

# pyright: reportMissingImports=false, reportIndexIssue=false, reportCallIssue=false
from typing import NamedTuple

import torch
from torch import Tensor
from triton import cdiv, next_power_of_2

from kernels.rational import triton_kernels
from kernels.rational.formula import DENOMINATOR_TERMS, NUMERATOR_TERMS

WARPS = 4
FORWARD_TILE = 16 * 32 * WARPS  # elements: 16 a thread
BACKWARD_TILE = 8 * 32 * WARPS  # 8 a thread; with 16 the sums take 254 registers, and 8 warps share a multiprocessor
LINE = 64  # elements of bfloat16 in a cache line of 128 bytes
BACKWARD_PROGRAMS = 4096  # at most, and as many on any GPU, so that sums are in the same order on any


class View(NamedTuple):
    """x as (rows, groups, length), one stretch of memory."""

    rows: int
    groups: int
    length: int

    def tile(self, elements: int) -> dict[str, int]:
        """The constants of a kernel whose programs take `elements` at once."""
        chunk = min(8, self.length & -self.length)  # the largest power of two that divides the length
        groups = min(next_power_of_2(self.groups), next_power_of_2(max(1, LINE // self.length)))
        return {"LENGTH": self.length, "CHUNKS": elements // (groups * chunk), "GROUPS": groups, "CHUNK": chunk}

    def grid(self, tile: dict[str, int]) -> tuple[int, int]:
        """How many tiles the rows make, and how many the groups."""
        return cdiv(self.rows * (self.length // tile["CHUNK"]), tile["CHUNKS"]), cdiv(self.groups, tile["GROUPS"])


def view(x: Tensor, groups: int) -> View:
    """Of a tensor (N, C, ...), not empty, that is contiguous or has its channels last.

    Raises: ValueError: if a row or a group has 2**31 elements or more, as the kernels count in 32 bits.
    """
    length = (x.shape[1:].numel() if x.is_contiguous() else x.shape[1]) // groups
    seen = View(x.numel() // (groups * length), groups, length)
    if max(seen.rows, groups) * length >= 2**31:
        raise ValueError(f"a row and a group must have fewer than 2**31 elements, got {seen}. Set KERNELS=reference.")
    return seen


def forward(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """y of a dense x."""
    seen, y = view(x, a.shape[0]), torch.empty_like(x)
    tile = seen.tile(FORWARD_TILE)
    tiles, strips = seen.grid(tile)
    with torch.cuda.device_of(x):
        triton_kernels.forward[(tiles * strips,)](
            x, a, b, y, seen.rows, seen.groups, **tile, num_warps=WARPS, enable_fp_fusion=True
        )
    return y


def backward(grad: Tensor, x: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """dx, da and db of a dense x and a grad with its strides."""
    seen, dx = view(x, a.shape[0]), torch.empty_like(x)
    tile = seen.tile(BACKWARD_TILE)
    tiles, strips = seen.grid(tile)
    programs = min(tiles, cdiv(BACKWARD_PROGRAMS, strips))  # that share the same groups
    da = x.new_empty(programs, seen.groups, NUMERATOR_TERMS, dtype=torch.float32)
    db = x.new_empty(programs, seen.groups, DENOMINATOR_TERMS, dtype=torch.float32)
    with torch.cuda.device_of(x):
        triton_kernels.backward[(programs * strips,)](
            grad, x, a, b, dx, da, db, seen.rows, seen.groups, **tile, num_warps=WARPS, enable_fp_fusion=True
        )
    return dx, da.sum(0).to(a.dtype), db.sum(0).to(b.dtype)
