"""Pruning a user's convolutional network: torch-pruning follows which channels belong together.

Source: Fang et al. 2023, arXiv:2301.12900 (DepGraph). It cannot follow everything: with raw three-dimensional
parameters (stacked experts) its tracing does not end, heads of attention it skips without a word, and a layer it does
not know it leaves alone. So only channels of convolutions are pruned here, what would hang is refused, and what came
out is checked.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.modules.conv import _ConvNd

from compress.prune.importance import BATCH, IMAGES
from compress.recipe import StepError
from spaces.tasks import Data

EXTRA = "pruning a network of your own needs torch-pruning: pip install 'lathe[prune]'."


def prune_foreign(network: nn.Module, data: Data, ratio: float, multiple: int, importance: str) -> nn.Module:
    """A smaller copy: in every group of convolutions the least important channels are gone, rounded to `multiple`.

    Raises: StepError: if there is nothing it can remove, or it does not understand the network. Cost: 1-2 s.
    """
    try:
        import torch_pruning
    except ImportError as error:
        raise StepError(EXTRA) from error
    _refuse_what_hangs(network)
    made = copy.deepcopy(network).eval()
    classes = len(data.classes)
    heads = [m for m in made.modules() if isinstance(m, nn.Linear) or _puts_out(m, classes)]
    kept = [*heads, *(m for m in made.modules() if isinstance(m, nn.MultiheadAttention))]
    x = data.normalise(data.train.x[:2])
    try:
        pruner = torch_pruning.pruner.BasePruner(
            made,
            x,
            importance=_importance(torch_pruning, importance),
            pruning_ratio=ratio,
            ignored_layers=kept,
            round_to=multiple,
            root_module_types=[nn.Conv2d],
            # Its defaults are dictionaries that all calls share.
            in_channel_groups={},
            out_channel_groups={},
            num_heads={},
            channel_groups={},
        )
        if importance == "taylor":
            _leave_gradients(made, data)
        pruner.step()
        made.zero_grad(set_to_none=True)
        with torch.no_grad():
            logits = made(x)
    except Exception as error:  # whatever a user's network makes of it
        first = (str(error).splitlines() or [""])[0][:200]
        raise StepError(f"torch-pruning does not understand this network: {type(error).__name__}: {first}") from error
    if not isinstance(logits, Tensor) or logits.shape != (len(x), classes):
        raise StepError("torch-pruning removed classes: the last layer is one it does not know as such.")
    if _numbers(made) >= _numbers(network):
        raise StepError(
            f"a ratio of {ratio} removes nothing from this network. Raise `ratio`, or lower `multiple` ({multiple})."
        )
    return made


def _refuse_what_hangs(network: nn.Module) -> None:
    if not any(isinstance(layer, nn.Conv2d) for layer in network.modules()):
        raise StepError("this network has no convolution; of networks that are not ours only those are pruned.")
    for name, layer in network.named_modules():
        raw = [leaf for leaf, p in layer.named_parameters(recurse=False) if p.ndim > 2]
        if raw and not isinstance(layer, _ConvNd):
            raise StepError(
                f"{name or 'the network'} holds {raw[0]!r}, a raw parameter of {layer.get_parameter(raw[0]).ndim} "
                "dimensions, which torch-pruning cannot follow. Make it of layers such as nn.Linear, or do not prune."
            )


def _puts_out(layer: nn.Module, classes: int) -> bool:
    return isinstance(layer, _ConvNd) and layer.out_channels == classes


def _importance(library: Any, kind: str) -> Any:
    known = library.pruner.importance
    if kind == "taylor":
        return known.GroupTaylorImportance()
    return known.BNScaleImportance() if kind == "bn" else known.GroupMagnitudeImportance(p=2)


def _leave_gradients(network: nn.Module, data: Data) -> None:
    """In `.grad`, where torch-pruning looks for them."""
    images, labels = data.train.x[:IMAGES], data.train.y[:IMAGES]
    for x, y in zip(images.split(BATCH), labels.split(BATCH), strict=True):
        (cross_entropy(network(data.normalise(x)), y, reduction="sum") / len(images)).backward()


def _numbers(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
