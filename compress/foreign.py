"""A network that no space of ours describes: a user's own."""

import copy
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from spaces.architecture import Architecture
from spaces.counts import Counts, count, count_module

Shapes = tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True)
class Foreign:
    """What identifies such a network: where its code is (without the folder), and the shapes of its tensors.

    With the code at hand that is enough to rebuild it: pruning changes only shapes. input_shape: (C, H, W). counts: of
    one evaluation; they are not part of its identity.
    """

    source: str
    input_shape: tuple[int, ...]
    classes: int
    shapes: Shapes
    counts: Counts

    @cached_property
    def id(self) -> str:
        """sha256 (64 hex digits) of the canonical JSON."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces. `source` tells it from an architecture's."""
        tree = {"source": self.source, "input_shape": self.input_shape, "classes": self.classes}
        counts = [self.counts.params, self.counts.macs, self.counts.peak_bytes]
        return json.dumps(tree | {"shapes": dict(self.shapes), "counts": counts}, sort_keys=True, separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> "Foreign":
        """The inverse of `to_json`."""
        tree = json.loads(text)
        shapes = tuple((name, tuple(shape)) for name, shape in tree["shapes"].items())
        return Foreign(
            tree["source"], tuple(tree["input_shape"]), tree["classes"], tuple(sorted(shapes)), Counts(*tree["counts"])
        )

    def describe(self) -> str:
        """One line for people: `model.py:resnet8, 24 layers, 16 to 64 wide`."""
        weights = [shape for name, shape in self.shapes if name.endswith("weight") and len(shape) > 1]
        if not weights:
            return self.source
        return (
            f"{self.source}, {len(weights)} layers, {min(s[0] for s in weights)} to {max(s[0] for s in weights)} wide"
        )


Description = Architecture | Foreign


def description_of(text: str) -> Description:
    """The architecture or the foreign network whose JSON this is. Raises UnknownName for a block that is not here."""
    return Foreign.from_json(text) if "source" in json.loads(text) else Architecture.from_json(text)


def counts_of(arch: Description) -> Counts:
    """Exact counts of either."""
    return arch.counts if isinstance(arch, Foreign) else count(arch)


def foreign_of(network: nn.Module, source: str, input_shape: tuple[int, ...], classes: int) -> Foreign:
    """The description of a torch network; its MACs are counted on the meta device, or on the processor where its code
    makes tensors of its own there."""
    shapes = tuple(sorted((name, tuple(tensor.shape)) for name, tensor in network.state_dict().items()))
    try:
        counts, _ = count_module(copy.deepcopy(network).to("meta"), torch.empty(1, *input_shape, device="meta"))
    except (RuntimeError, NotImplementedError, TypeError):
        counts, _ = count_module(network, torch.zeros(1, *input_shape))
    return Foreign(source, input_shape, classes, shapes, counts)


def rebuilt(network: nn.Module, tensors: Mapping[str, Tensor]) -> nn.Module:
    """A copy of `network` with these tensors, every layer resized to its own: how a pruned network is loaded."""
    made = copy.deepcopy(network)
    for prefix, layer in made.named_modules():
        depthwise = isinstance(layer, _ConvNd) and 1 < layer.groups == layer.in_channels == layer.out_channels
        for leaf, parameter in list(layer.named_parameters(recurse=False)):
            found = tensors[f"{prefix}.{leaf}" if prefix else leaf]
            if parameter.shape != found.shape:
                setattr(layer, leaf, nn.Parameter(torch.empty_like(found)))
        for leaf, buffer in list(layer.named_buffers(recurse=False)):
            found = tensors.get(f"{prefix}.{leaf}" if prefix else leaf)
            if found is not None and buffer.shape != found.shape:
                setattr(layer, leaf, torch.empty_like(found))
        _resize(layer, depthwise)
    made.load_state_dict(dict(tensors))
    return made.eval()


def _resize(layer: nn.Module, depthwise: bool) -> None:
    """What a layer says of its sizes, as its weights have them."""
    if isinstance(layer, _ConvNd):
        first, of_group = layer.weight.shape[:2]  # outputs and inputs of a group; of a transposed one the other way
        layer.groups = first if depthwise else layer.groups
        sizes = first, of_group * layer.groups
        layer.in_channels, layer.out_channels = sizes if layer.transposed else sizes[::-1]
    elif isinstance(layer, nn.Linear):
        layer.out_features, layer.in_features = layer.weight.shape
    elif isinstance(layer, _BatchNorm) and layer.running_mean is not None:
        layer.num_features = len(layer.running_mean)
    elif isinstance(layer, nn.LayerNorm) and layer.elementwise_affine:
        layer.normalized_shape = tuple(layer.weight.shape)
