"""The shared weights of a space: one store, and windows into it for every architecture."""

import random
from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from spaces.architecture import Architecture
from spaces.network import Placed, pieces
from spaces.space import SearchSpace, covering, largest
from spaces.windows import extract, homes, piece_windows, run_piece


class Supernet(nn.Module):
    """The largest network of a space with every key of block at every position.

    `supernet(x, arch)` runs one member, with gradients to its windows; the architecture is an argument and never hidden
    state. `extract(arch)` is the same network standing alone. `space` may become less than what is stored. Cost of a
    step: that of the plain network plus about 0.1 ms a piece (studies/benchmarks/supernet_step.py).
    """

    def __init__(self, space: SearchSpace) -> None:
        super().__init__()
        self.space = space
        found = {name: piece for arch in covering(space) for name, piece in pieces(arch)}
        self.store = nn.Sequential(OrderedDict((name, piece.build()) for name, piece in found.items()))
        self._homes = list(homes(self.store))  # found once: torch's named_parameters takes 0.4 ms a call

    def tensors(self) -> dict[str, Tensor]:
        """The stored parameters and buffers by name; fetch once a step, not once a piece."""
        return {name: owner[leaf] for name, owner, leaf in self._homes}

    def forward(
        self, x: Tensor, arch: Architecture, tensors: dict[str, Tensor] | None = None, gates: Sequence[Tensor] = ()
    ) -> Tensor:
        """(N, *input_shape) normalised -> logits (N, classes) of the member `arch`.

        gates: for each block a scalar g, or one (width, 1, 1) for each channel; what the block changes counts 1 + g
        times. With g = 0 nothing changes, and its gradient says what the block, or that channel of it, is good for.
        """
        store = self.tensors() if tensors is None else tensors
        left = list(reversed(gates))
        for name, piece in pieces(arch):
            before, x = x, run_piece(piece, piece_windows(store, name, piece), x, self.training)
            if left and isinstance(piece, Placed):
                x = x + left.pop() * (x - before)
        return x

    def extract(self, arch: Architecture) -> nn.Sequential:
        """The stand-alone network with copies of the weights, in eval mode; its BatchNorm needs recalibrating."""
        return extract(self.tensors(), arch)

    def teachers(self, count: int, seed: int) -> list[Architecture]:
        """`count` largest architectures, with different kinds of block."""
        rng = random.Random(seed)
        found: dict[str, Architecture] = {}
        for _ in range(20 * count):
            arch = largest(self.space, rng)
            found.setdefault(arch.id, arch)
            if len(found) == count:
                break
        return list(found.values())


def build_supernet(space: SearchSpace, seed: int) -> Supernet:
    """A freshly initialised supernet; the same seed gives the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Supernet(space)
