"""The only slicing rule: a shape alone says which part of a stored tensor a smaller network uses.

Leading entries, and the centre for the taps of a convolution. One function serves training, extraction and pruning.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from spaces.architecture import Architecture
from spaces.network import Piece, build, pieces, skeleton

Slices = tuple[slice, ...]


@lru_cache(maxsize=65536)
def window(full: tuple[int, ...], part: tuple[int, ...], taps_from: int) -> Slices:
    """Where a tensor of shape `part` lies in one of shape `full`: leading entries, centred from dimension `taps_from`.

    Raises: ValueError: if `part` does not fit.
    """
    if len(part) != len(full) or any(p > f for f, p in zip(full, part, strict=True)):
        raise ValueError(f"a window of shape {tuple(part)} does not fit in a stored tensor of shape {tuple(full)}.")
    starts = [(f - p) // 2 if d >= taps_from else 0 for d, (f, p) in enumerate(zip(full, part, strict=True))]
    return tuple(slice(s, s + p) for s, p in zip(starts, part, strict=True))


@lru_cache(maxsize=4096)
def shapes(piece: Piece) -> tuple[tuple[str, tuple[int, ...], int], ...]:
    """(name, shape, first tap dimension) of every parameter and buffer of a piece."""
    module = skeleton(piece)
    convolutions = {name for name, layer in module.named_modules() if isinstance(layer, _ConvNd)}
    rows = []
    for name, tensor in module.state_dict().items():
        owner, _, leaf = name.rpartition(".")
        taps_from = 2 if owner in convolutions and leaf == "weight" else tensor.ndim
        rows.append((name, tuple(tensor.shape), taps_from))
    return tuple(rows)


def piece_windows(store: Mapping[str, Tensor], name: str, piece: Piece) -> dict[str, Tensor]:
    """Views of the stored tensors for one piece, under the piece's own names.

    Raises: KeyError: if the store has no such position or kind.
    """
    views = {}
    for leaf, shape, taps_from in shapes(piece):
        full = store[f"{name}.{leaf}"]
        views[leaf] = full if full.shape == shape else _view(full, shape, taps_from)
    return views


def _view(full: Tensor, shape: tuple[int, ...], taps_from: int) -> Tensor:
    """full[window(...)] as one operation: a slice a dimension costs twice the time, backwards too."""
    strides = full.stride()
    starts = (part.start for part in window(tuple(full.shape), shape, taps_from))
    offset = sum(start * stride for start, stride in zip(starts, strides, strict=True))
    return full.as_strided(shape, strides, full.storage_offset() + offset)


def run_piece(piece: Piece, tensors: Mapping[str, Tensor], x: Tensor, training: bool) -> Tensor:
    """What a piece with these tensors makes of `x`, with gradients to them; `tensors` is what `piece_windows` gives.

    The same as torch.func.functional_call, which finds every name anew and costs 0.1 ms more a piece.
    """
    module, slots = _hollow(piece, training)
    try:
        for (owner, leaf, _), tensor in zip(slots, tensors.values(), strict=True):
            owner[leaf] = tensor
        return module(x)
    finally:
        for owner, leaf, hollow in slots:
            owner[leaf] = hollow


@lru_cache(maxsize=4096)
def _hollow(piece: Piece, training: bool) -> tuple[nn.Module, tuple[tuple[dict[str, Any], str, Tensor], ...]]:
    """The skeleton, and where it keeps its tensors, in the order of `shapes`: (dictionary, name, tensor on meta)."""
    module = skeleton(piece, training)
    return module, tuple((owner, leaf, owner[leaf]) for _, owner, leaf in homes(module))


def homes(module: nn.Module) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Where a module keeps its tensors, in the order of its state_dict: (name, dictionary, key in it)."""
    for name in module.state_dict():
        path, _, leaf = name.rpartition(".")
        layer = module.get_submodule(path)
        yield name, layer._parameters if leaf in layer._parameters else layer._buffers, leaf


def network_windows(store: Mapping[str, Tensor], arch: Architecture) -> dict[str, Tensor]:
    """Views of the stored tensors for a whole network, under the names of `build(arch)`."""
    return {
        f"{name}.{leaf}": view
        for name, piece in pieces(arch)
        for leaf, view in piece_windows(store, name, piece).items()
    }


def extract(store: Mapping[str, Tensor], arch: Architecture) -> nn.Sequential:
    """The stand-alone network of `arch` with copies of its windows, in eval mode."""
    with torch.device("meta"):
        network = build(arch)
    copies = {
        name: view.detach().clone(memory_format=torch.contiguous_format)
        for name, view in network_windows(store, arch).items()
    }
    network.load_state_dict(copies, assign=True)
    for parameter in network.parameters():
        parameter.requires_grad_(True)
    return network.eval()
