"""Features of another family, compared as answers. Source: Hao et al. 2023, arXiv:2310.19444 (OFA-KD)."""

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, one_hot, softmax

from compress.distill import LOSSES
from compress.distill.seen import Seen

GAMMA = 1.5  # above 1 the right class counts the more, the surer the teacher is of it


@LOSSES.register("ofa")
class OneForAll(nn.Module):
    """The student's maps, each behind an exit of its own that answers, and its answer itself, taught by the teacher's.

    Only answers are compared, so nothing of the teacher's shape matters. The exits are thrown away. Differs from the
    source: an exit is a 1 x 1 convolution, ReLU, mean and linear layer whatever the family, and the least value that
    the loss can have is taken off (its gradient stays).
    """

    needs_features = True

    def __init__(self, student: Seen, teacher: Seen, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        classes = teacher.logits.shape[1]
        self.exits = nn.ModuleList(exit_of(maps.shape[1], classes) for maps in student.maps)

    def forward(self, student: Seen, teacher: Seen, y: Tensor) -> Tensor:
        """A scalar."""
        answers = [leave(maps) for leave, maps in zip(self.exits, student.maps, strict=True)]
        losses = [enhanced(each, teacher.logits, y, self.temperature) for each in (student.logits, *answers)]
        return torch.stack(losses).mean()


def exit_of(width: int, classes: int) -> nn.Module:
    """(N, width, H, W) -> (N, classes)."""
    pooled = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(nn.Conv2d(width, width, 1), nn.ReLU(), *pooled, nn.Linear(width, classes))


def enhanced(student: Tensor, teacher: Tensor, y: Tensor, temperature: float) -> Tensor:
    """T^2 times the student's cross-entropy with weights p^g, of the right class (1 + p)^g - 1, less its least value.

    p: the teacher's softened probability, g: GAMMA. With g = 1 it is the divergence between the two.
    """
    right = one_hot(y, teacher.shape[1])
    weights = (softmax(teacher / temperature, 1) + right) ** GAMMA - right
    best = (weights / weights.sum(1, keepdim=True)).clamp_min(1e-12).log()
    return temperature**2 * (weights * (best - log_softmax(student / temperature, 1))).sum(1).mean()
