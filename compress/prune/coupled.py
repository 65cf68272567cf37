"""The plan of a user's network: torch-pruning says which channels of its layers leave together.

Source: Fang et al. 2023, arXiv:2301.12900 (DepGraph). Groups are those whose channels lie next to each other in every
layer they reach and whose layers are known here; others stay whole, and so do those of linear layers and of
one-dimensional convolutions that are not shown to leave so (proven.py).
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from compress.foreign import Foreign, foreign_of
from compress.prune import foreign
from compress.prune.dimensions import Axis
from compress.prune.importance import importance, slopes_for
from compress.prune.parts import Layer
from compress.prune.plan import Plan
from compress.prune.proven import leaves_by_its_inputs, runs_without
from spaces.tasks import Data

ROOTS = nn.Conv1d, nn.Conv2d, nn.Linear
KNOWN = (*ROOTS, _BatchNorm, nn.LayerNorm, nn.PReLU)


@dataclass(frozen=True)
class Coupled:
    """Channels that leave together. root: the layer they come from. axes: where they are in all tensors.

    layers: by name, how many inputs and outputs of a layer belong to one of them.
    """

    root: str
    units: int
    axes: tuple[Axis, ...]
    layers: Mapping[str, tuple[int, int]]


def foreign_plan(arch: Foreign, network: nn.Module, data: Data, kind: str) -> Plan:
    """kind: of importance. Raises: StepError: if torch-pruning is not there or cannot follow the network."""
    x = data.normalise(data.train.x[:2])
    with foreign.understood(network, ROOTS):
        whole = copy.deepcopy(network)
        following = foreign.graph(whole, x)
        kept = [layer for layer in foreign.kept(whole, x, arch.classes) if not isinstance(layer, nn.Linear)]
        groups = [group for group in coupled(following, whole, kept) if _can_leave(group, whole, x)]
    layers = measured_layers(network, x)
    slopes, tensors = slopes_for(kind, network, data), dict(network.state_dict())
    worths = tuple(importance(tensors, group.axes, group.units, kind, slopes) for group in groups)

    def parts(at: Mapping[int, int]) -> list[Layer]:
        found = dict(layers)
        for index, width in at.items():
            for name, (inputs, outputs) in groups[index].layers.items():
                if name in found:
                    gone = groups[index].units - width
                    found[name] = found[name].narrowed(gone * inputs, gone * outputs)
        return list(found.values())

    def cut(widths: Sequence[int]) -> tuple[Foreign, nn.Module, dict[str, Tensor]]:
        left: dict[str, Tensor] = {}
        with foreign.understood(network, ROOTS):
            made = copy.deepcopy(network).eval()
            following = foreign.graph(made, x)
            for group, worth, width in zip(groups, worths, widths, strict=True):
                gone = worth.argsort()[: group.units - width].tolist()
                if gone:
                    _remove(following, made.get_submodule(group.root), gone)
                    for axis in group.axes:
                        name, _, leaf = axis.tensor.rpartition(".")
                        if axis.axis == 0 and leaf == "weight" and name in layers:
                            left[name] = rows_left(len(tensors[axis.tensor]), axis, gone)
            foreign.check_answers(made, x, arch.classes)
        return foreign_of(made, arch.source, arch.input_shape, arch.classes), made, left

    return Plan(network, worths, parts, cut)


def coupled(following: Any, network: nn.Module, kept: Sequence[nn.Module]) -> list[Coupled]:
    """The groups that can be narrowed, in the order of the network. following: torch-pruning's dependency graph."""
    names: dict[Any, str] = {module: name for name, module in network.named_modules()}
    found = []
    for group in following.get_all_groups(ignored_layers=list(kept), root_module_types=list(ROOTS)):
        root, units = group[0].dep.target.module, len(group[0].idxs)
        axes, layers, whole = list[Axis](), dict[str, tuple[int, int]](), units > 1
        for item in group:
            module, name = item.dep.target.module, names.get(item.dep.target.module)
            if name is None or not any(True for _ in module.parameters(recurse=False)):
                continue  # an operation without weights
            outwards = following.is_out_channel_pruning_fn(item.dep.handler)
            per_unit = len(item.idxs) // units
            expected = [unit for unit in range(units) for _ in range(per_unit)]
            start = min(item.idxs)
            whole &= isinstance(module, KNOWN) and not _is_grouped(module) and list(item.root_idxs) == expected
            whole &= list(item.idxs) == list(range(start, start + len(item.idxs)))
            for leaf, tensor in module.named_parameters(recurse=False):
                if outwards or tensor.ndim > 1:
                    axes.append(Axis(f"{name}.{leaf}" if name else leaf, 0 if outwards else 1, per_unit, start))
            inputs, outputs = layers.get(name, (0, 0))
            layers[name] = (inputs, outputs + per_unit) if outwards else (inputs + per_unit, outputs)
        if whole:
            found.append(Coupled(names[root], units, tuple(axes), layers))
    return found


def _can_leave(group: Coupled, network: nn.Module, x: Tensor) -> bool:
    """Of two-dimensional convolutions alone torch-pruning is believed, the rest is tried out: a cut and four passes."""
    roots = [network.get_submodule(axis.tensor.rpartition(".")[0]) for axis in group.axes if axis.axis == 0]
    if not any(isinstance(layer, nn.Conv1d | nn.Linear) for layer in roots):
        return True

    def cut_one() -> nn.Module:
        made = copy.deepcopy(network).eval()
        _remove(foreign.graph(made, x), made.get_submodule(group.root), [0])
        return made

    with torch.no_grad():
        answer = network.eval()(x).shape
    return leaves_by_its_inputs(network, group.axes, x) and runs_without(cut_one, x, answer)


def _remove(following: Any, root: nn.Module, gone: Sequence[int]) -> None:
    """These outputs of a layer, with all that belongs to them, in place. following: the network's dependency graph."""
    remove = following.get_pruner_of_module(root).prune_out_channels
    following.get_pruning_group(root, remove, list(gone)).prune()


def rows_left(rows: int, axis: Axis, gone: Sequence[int]) -> Tensor:
    """Which rows of a tensor are left when these units of the axis are gone, ascending."""
    units = torch.tensor(gone)
    removed = axis.start + units[:, None] * axis.per_unit + torch.arange(axis.per_unit)
    mask = torch.ones(rows, dtype=torch.bool)
    mask[removed.flatten()] = False
    return mask.nonzero().flatten()


def _is_grouped(module: nn.Module) -> bool:
    return isinstance(module, foreign.CONVOLUTIONS) and module.groups > 1 and not _is_depthwise(module)


def _is_depthwise(layer: nn.Conv1d | nn.Conv2d) -> bool:
    return 1 < layer.groups == layer.in_channels == layer.out_channels


def measured_layers(network: nn.Module, x: Tensor) -> dict[str, Layer]:
    """Every convolution and linear layer that runs, by name, with the size of what reaches it."""
    sizes: dict[str, tuple[int, ...]] = {}

    def watch(name: str, layer: nn.Module) -> Any:
        return layer.register_forward_pre_hook(lambda _, given: sizes.__setitem__(name, tuple(given[0].shape)))

    hooks = [watch(name, layer) for name, layer in network.named_modules() if isinstance(layer, ROOTS)]
    try:
        with torch.no_grad():
            network.eval()(x)
    finally:
        for hook in hooks:
            hook.remove()
    found = {}
    for name, shape in sizes.items():
        layer = network.get_submodule(name)
        if isinstance(layer, nn.Linear):
            found[name] = Layer("linear", layer.in_features, layer.out_features, shape[1:-1])
        elif isinstance(layer, foreign.CONVOLUTIONS) and not _is_grouped(layer):
            kind = "depthwise" if _is_depthwise(layer) else "conv"
            form = (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
            found[name] = Layer(kind, layer.in_channels, layer.out_channels, shape[2:], *form)
    return found
