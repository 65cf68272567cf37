"""Where the teacher looks. Source: Zagoruyko and Komodakis 2017, arXiv:1612.03928, activation-based attention."""

from torch import Tensor, nn
from torch.nn.functional import normalize

from compress.distill import LOSSES
from compress.distill.seen import Seen, matched

BETA = 1000.0  # the source's, for a mean over positions


@LOSSES.register("attention")
class Attention(nn.Module):
    """1000 times the squared distance between normalised attention maps, the mean square over a map's channels.

    Maps have no channels, so networks of any widths and families compare without projectors.
    """

    needs_features = True

    def __init__(self, student: Seen, teacher: Seen, temperature: float) -> None:
        super().__init__()

    def forward(self, student: Seen, teacher: Seen, y: Tensor) -> Tensor:
        """A scalar."""
        errors = [(looked(ours) - looked(theirs)).square().mean() for ours, theirs in matched(student, teacher)]
        return BETA * sum(errors[1:], errors[0]) / len(errors)


def looked(maps: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, H W) of norm 1."""
    return normalize(maps.square().mean(1).flatten(1), dim=1)
