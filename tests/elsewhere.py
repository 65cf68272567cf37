"""A processor that is not the CPU, for machines without a GPU: it computes what the CPU does, and like a GPU refuses to
mix its tensors with others.

Each tensor wraps one in main memory, and every operator runs on what is wrapped. So a training there is the same but
for rounding, as long as nothing is left behind. It has the name of a device type that PyTorch knows without a backend
and whose gradients run in the thread of the CPU's: one that is registered must be so before the process's first
backward.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

NAME = "lazy"
aten = torch.ops.aten
# What takes tensors of both sides on a GPU too: copies, and indices in main memory.
MIXED = {
    aten.copy_.default,
    aten._to_copy.default,
    aten.index.Tensor,
    aten.index_put.default,
    aten.index_put_.default,
    aten._index_put_impl_.default,
}


class Elsewhere(Tensor):
    """A tensor of this processor; `wrapped` is where its numbers are."""

    wrapped: Tensor

    @staticmethod
    def __new__(cls, wrapped: Tensor) -> Elsewhere:
        """Of the same shape, strides and type."""
        made = Tensor._make_wrapper_subclass(
            cls, wrapped.shape, strides=wrapped.stride(), storage_offset=wrapped.storage_offset(), dtype=wrapped.dtype,
            device=torch.device(NAME),
        )  # fmt: skip
        made.wrapped = wrapped
        return made

    def __repr__(self) -> str:  # type: ignore[override]
        return f"Elsewhere({self.wrapped!r})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """The operator on what is wrapped; its results are wrapped, unless they are asked for on the CPU."""
    leaves = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    wrappers = {id(leaf.wrapped): leaf for leaf in leaves if isinstance(leaf, Elsewhere)}
    left = [leaf for leaf in leaves if not isinstance(leaf, Elsewhere) and leaf.ndim]
    if wrappers and left and func not in MIXED:
        raise RuntimeError(f"{func}: a tensor of {tuple(left[0].shape)} is on the CPU and others are {NAME}.")
    args, kwargs = tree_map(_unwrapped, args), tree_map(_unwrapped, kwargs)
    asked = kwargs.get("device")
    if asked is not None:
        kwargs["device"] = torch.device("cpu")
    out = func(*args, **kwargs)
    if asked is not None and torch.device(asked).type != NAME:
        return out
    return tree_map(lambda x: wrappers.get(id(x), Elsewhere(x)) if isinstance(x, Tensor) else x, out)


def _unwrapped(x: Any) -> Any:
    return x.wrapped if isinstance(x, Elsewhere) else x


def register() -> str:
    """Make the processor known to PyTorch, once a process; returns its name."""
    if not KEPT:
        library = torch.library.Library("_", "IMPL")
        library.fallback(lambda func, *args, **kwargs: _run(func, args, kwargs), "Lazy")
        KEPT.append(library)
    return NAME


KEPT: list[Any] = []  # the registration lasts as long as the library lives
