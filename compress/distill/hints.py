"""The teacher's features through projectors. Source: Romero et al. 2015, arXiv:1412.6550 (FitNets)."""

from torch import Tensor, nn
from torch.nn.functional import instance_norm, mse_loss

from compress.distill import LOSSES
from compress.distill.seen import Seen, matched


@LOSSES.register("hints")
class Hints(nn.Module):
    """Mean squared error between the teacher's maps and the student's behind a 1 x 1 convolution each.

    Differs from the source: all resolutions at once instead of one in a stage of its own, and every teacher channel is
    brought to mean 0 and variance 1 first, so that the loss means the same for networks with and without BatchNorm.
    """

    needs_features = True

    def __init__(self, student: Seen, teacher: Seen, temperature: float) -> None:
        super().__init__()
        pairs = matched(student, teacher)
        self.projectors = nn.ModuleList(nn.Conv2d(ours.shape[1], theirs.shape[1], 1) for ours, theirs in pairs)

    def forward(self, student: Seen, teacher: Seen, y: Tensor) -> Tensor:
        """A scalar."""
        errors = [
            mse_loss(project(ours), _standardised(theirs))
            for project, (ours, theirs) in zip(self.projectors, matched(student, teacher), strict=True)
        ]
        return sum(errors[1:], errors[0]) / len(errors)


def _standardised(maps: Tensor) -> Tensor:
    """(N, C, H, W) with mean 0 and variance 1 over the batch and the positions of each channel."""
    n, c, h, w = maps.shape
    return instance_norm(maps.transpose(0, 1).reshape(1, c, n * h, w)).reshape(c, n, h, w).transpose(0, 1)
