"""Fit what a pruned layer has left to what it did before: least squares, layer by layer, without training.

Each convolution or linear layer is to give the outputs that it gave in the whole network, as well as it can from the
inputs that the pruned network has at that point, the layers before it fitted already. Source: He, Zhang and Sun 2017,
arXiv:1707.06168, who fit the layer behind each pruned one; here all layers are, in one forward pass, against the whole
network's outputs, damped towards their own weights, and BatchNorm is recalibrated in the same pass. A fit is kept only
if the answers to other images are nearer to the whole network's for it: behind a rational function they need not be.

A sum of layers that see functions of one input (`Terms`: a Kolmogorov-Arnold layer of polynomials) is fitted as one
layer, so that the terms it has left take over what they can of those that were cut.

On a CIFAR-10 ResNet with half its channels 24 % of the images are right after the cut and 74 % after the fit
(studies/LOG.md).
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.functional import unfold
from torch.nn.modules.batchnorm import _BatchNorm

from compress.recalibrate import measuring

IMAGES = 256
ASKED = 64  # images more, of which it is asked whether a fit helped
POSITIONS = 32  # of each feature map or row of tokens: neighbours say nearly the same
DAMPING = 0.03  # of the mean squared input, and as much again as there are inputs for a sample
LARGEST = 2**24  # numbers in an unfolded input at once


@runtime_checkable
class Terms(Protocol):
    """A module that adds up what its terms, convolutions of one kind, make of its features. Bias: the first's."""

    terms: nn.ModuleList

    def features(self, x: Tensor) -> Iterable[Tensor]:
        """What each term sees of the module's input."""
        ...


@dataclass(frozen=True)
class Answer:
    """What a layer puts out: values (images, positions, outputs) at these positions of the flattened map."""

    values: Tensor
    at: Tensor


@dataclass(frozen=True)
class Target:
    """The whole network as a cut one is fitted to it. layers: its `answers` to the images x. wanted: what it puts out
    for other images, `asked`."""

    layers: Mapping[str, Answer]
    x: Tensor
    asked: Tensor
    wanted: Tensor


def target(whole: nn.Module, x: Tensor) -> Target:
    """x: normalised images; the last of them are kept aside, unless there are too few to spare any."""
    fitted, asked = (x[:-ASKED], x[-ASKED:]) if len(x) > 2 * ASKED else (x, x)
    layers = answers(whole, fitted)
    with torch.no_grad():
        return Target(layers, fitted, asked, whole(asked))


def answers(whole: nn.Module, x: Tensor) -> dict[str, Answer]:
    """Of every layer that can be fitted, by name. x: normalised images. A layer that is called twice is left out."""
    found: dict[str, Answer] = {}
    again = set[str]()

    def watch(name: str, layer: nn.Module) -> Any:
        def keep(layer: nn.Module, _: Any, output: Tensor) -> None:
            again.update({name} & found.keys())
            flat = _flat(layer, output.detach())
            draw = torch.Generator().manual_seed(flat.shape[1])
            at = torch.randperm(flat.shape[1], generator=draw)[:POSITIONS]
            found[name] = Answer(flat[:, at], at)

        return layer.register_forward_hook(keep)

    hooks = [watch(name, layer) for name, layer in _fittable(whole)]
    try:
        with torch.no_grad():
            whole.eval()(x)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: answer for name, answer in found.items() if name not in again}


def refit(made: nn.Module, to: Target, kept: Mapping[str, Tensor]) -> bool:
    """Recalibrate the BatchNorm of `made` and fit its layers, both in place; returns whether the fit was kept.

    kept: which of the whole network's outputs a layer has left, by name; the first ones where a layer is not in it.
    Depthwise and grouped convolutions stay as they were cut. `made` is left in eval mode. Cost: two forward passes and
    the products of every layer's inputs with themselves, 1 s for 50 M MACs and 256 images.
    """
    _pass(made, to.x, {}, kept)
    cut = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    lost = _error(made, to)
    _pass(made, to.x, to.layers, kept)
    helped = _error(made, to) < lost
    if not helped:
        made.load_state_dict(cut)
    return helped


def _error(made: nn.Module, to: Target) -> float:
    with torch.no_grad():
        return float((made(to.asked) - to.wanted).square().mean())


def _pass(made: nn.Module, x: Tensor, known: Mapping[str, Answer], kept: Mapping[str, Tensor]) -> None:
    """Once through the network: each layer in `known` is fitted just before it runs, BatchNorm takes what it sees."""
    norms = [layer for layer in made.modules() if isinstance(layer, _BatchNorm)]
    made.eval()

    def watch(name: str, layer: nn.Module) -> Any:
        return layer.register_forward_pre_hook(lambda layer, given: _fit(layer, given[0], known[name], kept.get(name)))

    hooks = [watch(name, layer) for name, layer in _fittable(made) if name in known]
    try:
        with measuring(norms), torch.no_grad():
            made(x)
    finally:
        for hook in hooks:
            hook.remove()
        made.eval()


def _fittable(network: nn.Module) -> list[tuple[str, nn.Module]]:
    named = list(network.named_modules())
    inner = {id(term) for _, layer in named if isinstance(layer, Terms) for term in layer.terms}
    return [(name, layer) for name, layer in named if id(layer) not in inner and _is_fittable(layer)]


def _is_fittable(layer: nn.Module) -> bool:
    if isinstance(layer, nn.Conv1d | nn.Conv2d):
        return layer.groups == 1 and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    return isinstance(layer, nn.Linear | Terms)


def _terms(layer: nn.Module) -> list[Any]:
    return list(layer.terms) if isinstance(layer, Terms) else [layer]


def _flat(layer: nn.Module, values: Tensor) -> Tensor:
    """(images, positions, channels) of a map (N, C, H, W), a series (N, C, L) or of tokens (N, ..., C)."""
    if isinstance(_terms(layer)[0], nn.Conv1d | nn.Conv2d):
        return values.flatten(2).transpose(1, 2)
    return values.reshape(len(values), -1, values.shape[-1])


def _inputs(layer: nn.Module, x: Tensor, at: Tensor) -> Tensor:
    """(images, positions, inputs of one output): what the layer multiplies its weights with at these positions."""
    if isinstance(layer, Terms):
        pairs = zip(layer.terms, layer.features(x), strict=True)
        return torch.cat([_inputs(term, seen, at) for term, seen in pairs], 2)
    if isinstance(layer, nn.Conv2d):
        seen = unfold(x, layer.kernel_size, layer.dilation, layer.padding, layer.stride)  # type: ignore[arg-type]
        return seen[:, :, at].transpose(1, 2)
    if isinstance(layer, nn.Conv1d):  # a map of one row
        form = layer.kernel_size, layer.dilation, layer.padding, layer.stride
        across = [(beside, int(of_row[0])) for beside, of_row in zip((1, 1, 0, 1), form, strict=True)]
        return unfold(x[:, :, None], *across)[:, :, at].transpose(1, 2)
    return _flat(layer, x)[:, at]


def _fit(layer: nn.Module, x: Tensor, answer: Answer, kept: Tensor | None) -> None:
    """Least squares on centred inputs and outputs: BatchNorm or the bias takes the means."""
    terms = _terms(layer)
    weight = torch.cat([term.weight.flatten(1) for term in terms], 1)
    wanted = answer.values[:, :, torch.arange(len(weight)) if kept is None else kept]
    if len(x) != len(wanted) or wanted.shape[2] != len(weight):
        return  # tokens that are routed elsewhere now, or outputs that nothing is known of
    inputs, samples = weight[0].numel(), len(x) * wanted.shape[1]
    square, cross, mean = torch.zeros(inputs, inputs), torch.zeros(inputs, len(weight)), torch.zeros(inputs)
    for images, outputs in _pairs(layer, x, wanted):
        seen = _inputs(layer, images, answer.at).reshape(-1, inputs)
        square += seen.T @ seen
        cross += seen.T @ outputs.reshape(-1, len(weight))
        mean += seen.sum(0)
    mean, target = mean.double() / samples, wanted.double().mean((0, 1))
    square = square.double() / samples - mean[:, None] * mean
    cross = cross.double() / samples - mean[:, None] * target
    damping = (DAMPING + inputs / samples) * square.diagonal().mean().clamp_min(1e-12)
    square.diagonal().add_(damping)
    fitted = torch.linalg.solve(square, cross + damping * weight.T.double())
    for term, part in zip(terms, fitted.T.split([term.weight[0].numel() for term in terms], 1), strict=True):
        term.weight.copy_(part.reshape(term.weight.shape))
    if isinstance(terms[0].bias, Tensor):
        terms[0].bias.copy_(target - mean @ fitted)


def _pairs(layer: nn.Module, x: Tensor, wanted: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Inputs and outputs in portions that fit into memory when they are unfolded."""
    terms = _terms(layer)
    taps = math.prod(terms[0].kernel_size) if isinstance(terms[0], nn.Conv1d | nn.Conv2d) else 1
    portion = max(1, LARGEST // (taps * len(terms) * x[0].numel()))
    return list(zip(x.split(portion), wanted.split(portion), strict=True))
