"""Whether channels that are said to leave together can: tried on the network itself.

torch-pruning follows shapes. Behind a linear layer these say less than behind a convolution: heads of attention are
channels that a `view` divides, and flattened tokens lie the other way round than a flattened map. What is misunderstood
there may still run, and answer otherwise.
"""

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from compress.prune.dimensions import Axis

SHIFT = 1.0  # of what a channel puts out, to see where it arrives


def leaves_by_its_inputs(network: nn.Module, axes: Sequence[Axis], x: Tensor) -> bool:
    """Whether the first unit reaches the answers only through the entries of later layers that `axes` names: with these
    at zero, what it puts out must not matter. Cost: two forward passes of `x`."""
    made = copy.deepcopy(network).eval()
    into = [axis for axis in axes if axis.axis == 1]
    if not into:
        return False  # logits, or a product that nothing here speaks of
    names = {name for name, layer in made.named_modules() if isinstance(layer, nn.LayerNorm)}
    out = [axis for axis in axes if axis.axis == 0]
    # A LayerNorm spreads what comes into it over all channels, as it does in training; it is looked at behind it.
    behind = [axis for axis in out if axis.tensor.rpartition(".")[0] in names] or out
    with torch.no_grad():
        for axis in into:
            made.get_parameter(axis.tensor).narrow(1, axis.start, axis.per_unit).zero_()
        before = made(x)
        for axis in behind:
            made.get_parameter(axis.tensor).narrow(0, axis.start, axis.per_unit).add_(SHIFT)
        return torch.allclose(before, made(x), rtol=1e-4, atol=1e-5)


def runs_without(cut_one: Callable[[], nn.Module], x: Tensor, answer: torch.Size) -> bool:
    """Whether the network with one unit less still runs and answers in the same shape. Cost: the cut, a pass of x."""
    try:
        made = cut_one()  # outside no_grad: torch-pruning follows gradients
        with torch.no_grad():
            return made(x).shape == answer
    except Exception:  # noqa: BLE001  (whatever a user's network or torch-pruning makes of a size that does not fit)
        return False
