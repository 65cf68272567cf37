"""Pruning a user's network: torch-pruning follows which channels belong together.

Source: Fang et al. 2023, arXiv:2301.12900 (DepGraph). It cannot follow everything: with raw three-dimensional
parameters (stacked experts) its tracing does not end, heads of attention it skips without a word, and a layer it does
not know it leaves alone. So only channels of convolutions are pruned by a ratio, what would hang is refused, and what
came out is checked.
"""

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from compress.prune.importance import slopes_for
from compress.recipe import StepError
from spaces.tasks import Data

CONVOLUTIONS = nn.Conv1d, nn.Conv2d
EXTRA = "pruning a network of your own needs torch-pruning: pip install 'lathe[prune]'."


def prune_foreign(
    network: nn.Module, data: Data, ratio: float, multiple: int, importance: str
) -> tuple[nn.Module, dict[str, Tensor]]:
    """A smaller copy: in every group of convolutions the least important channels are gone, rounded to `multiple`; and
    which of its outputs a layer has left, by name.

    Raises: StepError: if there is nothing it can remove, or it does not understand the network. Cost: 1-2 s.
    """
    library = _library()
    classes = len(data.classes)
    made = copy.deepcopy(network).eval()
    x = data.normalise(data.train.x[:2])
    with understood(network):
        pruner = library.pruner.BasePruner(
            made,
            x,
            importance=_importance(library, importance),
            pruning_ratio=ratio,
            ignored_layers=kept(made, x, classes),
            round_to=multiple,
            root_module_types=list(CONVOLUTIONS),
            # Its defaults are dictionaries that all calls share.
            in_channel_groups={},
            out_channel_groups={},
            num_heads={},
            channel_groups={},
        )
        for name, slope in (slopes_for(importance, made, data) or {}).items():
            made.get_parameter(name).grad = slope  # where torch-pruning looks for either kind
        left = _step(pruner, made)
        made.zero_grad(set_to_none=True)
        check_answers(made, x, classes)
    if _numbers(made) >= _numbers(network):
        raise StepError(
            f"a ratio of {ratio:g} removes nothing from this network. Raise `ratio`, or lower `multiple` ({multiple})."
        )
    return made, left


def _step(pruner: Any, made: nn.Module) -> dict[str, Tensor]:
    """Prune, and say which outputs of each layer are left, by name."""
    names = {module: name for name, module in made.named_modules()}
    left: dict[str, Tensor] = {}
    for group in pruner.step(interactive=True):
        for item in group:
            name, weight = names.get(item.dep.target.module), getattr(item.dep.target.module, "weight", None)
            if name and weight is not None and pruner.DG.is_out_channel_pruning_fn(item.dep.handler):
                rows = left.get(name, torch.arange(len(weight)))
                gone = torch.zeros(len(rows), dtype=torch.bool).index_fill(0, torch.tensor(item.idxs), True)
                left[name] = rows[~gone]
        group.prune()
    return left


def _library() -> Any:
    try:
        import torch_pruning
    except ImportError as error:
        raise StepError(EXTRA) from error
    return torch_pruning


def graph(network: nn.Module, x: Tensor) -> Any:
    """torch-pruning's dependency graph. Pruning it changes the network in place."""
    return _library().DependencyGraph().build_dependency(network.eval(), example_inputs=x)


def kept(network: nn.Module, x: Tensor, classes: int) -> list[nn.Module]:
    """Layers whose outputs stay: linear ones, attention, and convolutions that put out the classes. Cost: a forward of
    `x` for each convolution with as many outputs as there are classes."""
    return [
        layer
        for layer in network.modules()
        if isinstance(layer, nn.Linear | nn.MultiheadAttention)
        or (isinstance(layer, _ConvNd) and layer.out_channels == classes and _puts_out_classes(layer, network, x))
    ]


def _puts_out_classes(layer: nn.Module, network: nn.Module, x: Tensor) -> bool:
    """Whether nothing mixes its channels on the way to the logits: when one changes, so does one class at most."""

    def shift(_: nn.Module, __: Any, out: Tensor) -> Tensor:
        return torch.cat([out[:, :1] + 1, out[:, 1:]], 1)

    with torch.no_grad():
        before = network(x)
        hook = layer.register_forward_hook(shift)
        try:
            after = network(x)
        finally:
            hook.remove()
    return torch.equal(before[:, 1:], after[:, 1:])


@contextlib.contextmanager
def understood(network: nn.Module, roots: tuple[type[nn.Module], ...] = CONVOLUTIONS) -> Iterator[None]:
    """Refuse what would hang, and turn whatever torch-pruning makes of a user's network into one StepError.

    roots: kinds of layers that are pruned."""
    _refuse_what_is_not_pruned(network, roots)
    _refuse_what_hangs(network)
    try:
        yield
    except StepError:
        raise
    except Exception as error:
        first = (str(error).splitlines() or [""])[0][:200]
        raise StepError(f"torch-pruning does not understand this network: {type(error).__name__}: {first}") from error


def check_answers(network: nn.Module, x: Tensor, classes: int) -> None:
    """Raises StepError if the pruned network no longer tells the classes apart."""
    with torch.no_grad():
        logits = network(x)
    if not isinstance(logits, Tensor) or logits.shape != (len(x), classes):
        raise StepError("torch-pruning removed classes: the last layer is one it does not know as such.")


def _refuse_what_is_not_pruned(network: nn.Module, roots: tuple[type[nn.Module], ...]) -> None:
    if any(isinstance(layer, roots) for layer in network.modules()):
        return
    if nn.Linear in roots:
        raise StepError("this network has neither a convolution nor a linear layer that could be narrower.")
    raise StepError(
        "this network has no convolution; of networks that are not ours `ratio` prunes only those. Write `latency` to "
        "narrow linear layers too."
    )


def _refuse_what_hangs(network: nn.Module) -> None:
    for name, layer in network.named_modules():
        raw = [leaf for leaf, p in layer.named_parameters(recurse=False) if p.ndim > 2]
        if raw and not isinstance(layer, _ConvNd):
            raise StepError(
                f"{name or 'the network'} holds {raw[0]!r}, a raw parameter of {layer.get_parameter(raw[0]).ndim} "
                "dimensions, which torch-pruning cannot follow. Make it of layers such as nn.Linear, or do not prune."
            )


def _importance(library: Any, kind: str) -> Any:
    known = library.pruner.importance
    if kind == "hessian":
        return known.GroupHessianImportance()
    if kind == "taylor":
        return known.GroupTaylorImportance()
    magnitude, of_norms = known.GroupMagnitudeImportance(p=2), known.BNScaleImportance()
    if kind == "magnitude":
        return magnitude

    def bn(group: Any) -> Tensor:
        """A group without BatchNorm is judged by magnitude, as a dimension of ours is."""
        found = of_norms(group)
        return magnitude(group) if found is None else found

    return bn


def _numbers(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
