"""The weights of a stitched space: both networks, which every stitch shares, and a projection for each stitch."""

import torch
from torch import Tensor, nn

from spaces.architecture import Architecture
from spaces.enters.stitch import stitch
from spaces.network import pieces
from spaces.stitch import LARGE, SMALL, StitchSpace, depth
from spaces.windows import extract, homes, piece_windows, run_piece, shapes


class Stitched(nn.Module):
    """`stitched(x, arch)` runs one member of the space, with gradients to what it uses; `extract(arch)` is the same
    network standing alone, as of a supernet.

    small, large: the trained networks, which become part of the store. x: normalised training images, with which the
    projections are fitted. Cost: one forward of each network, and a linear system for each stitch.
    """

    def __init__(self, space: StitchSpace, small: nn.Module, large: nn.Module, x: Tensor) -> None:
        super().__init__()
        self.space = space
        given, wanted = _outputs(small, x), _outputs(large, x)
        seams = {
            name: projection(given[depth(space.small, left) - 1], wanted[depth(space.large, entered) - 1])
            for name, (left, entered) in space.seams.items()
        }
        self.store = nn.ModuleDict({SMALL: small, **seams, LARGE: large})
        self._homes = list(homes(self.store))

    def tensors(self) -> dict[str, Tensor]:
        """The stored parameters and buffers by name."""
        return {name: owner[leaf] for name, owner, leaf in self._homes}

    def forward(self, x: Tensor, arch: Architecture) -> Tensor:
        """(N, *input_shape) normalised -> logits (N, classes) of the member `arch`."""
        tensors = self.tensors()
        for stored, (_, piece) in zip(self.space.members[arch.id].stored, pieces(arch), strict=True):
            x = run_piece(piece, piece_windows(tensors, stored, piece), x, self.training)
        return x

    def extract(self, arch: Architecture) -> nn.Sequential:
        """The stand-alone network with copies of the weights, in eval mode; its BatchNorm needs recalibrating."""
        tensors = self.tensors()
        stored = zip(self.space.members[arch.id].stored, pieces(arch), strict=True)
        own = {
            f"{name}.{leaf}": tensors[f"{home}.{leaf}"] for home, (name, piece) in stored for leaf, *_ in shapes(piece)
        }
        return extract(own, arch)


def projection(given: Tensor, wanted: Tensor) -> nn.Module:
    """The `stitch` that maps (N, C, ...) to (N, D, ...) with the least squared error, at every position alike.

    Source: Pan et al. 2023, section 3.2. Differs: with a bias, and by the normal equations in double precision, so that
    any number of positions fits in memory; channels that are always zero are no obstacle to a pseudoinverse.
    """
    rows, targets = (t.flatten(2).transpose(1, 2).flatten(0, 1).double() for t in (given, wanted))
    rows = torch.cat([rows, torch.ones(len(rows), 1, dtype=rows.dtype)], 1)
    solved = (torch.linalg.pinv(rows.T @ rows, hermitian=True) @ (rows.T @ targets)).float()
    made = stitch(given.shape[1], wanted.shape[1], 1)
    made.load_state_dict({"conv.weight": solved[:-1].T[:, :, None, None], "conv.bias": solved[-1]})
    return made


def _outputs(network: nn.Module, x: Tensor) -> list[Tensor]:
    """What each piece puts out for `x`, in eval mode."""
    found = []
    with torch.no_grad():
        for piece in network.eval().children():
            x = piece(x)
            found.append(x)
    return found
