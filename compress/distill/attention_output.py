"""What attention puts out, for quantized transformers. Source: Kim et al. 2022, arXiv:2211.11014."""

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from compress.distill import LOSSES
from compress.distill.seen import Seen

LEAST = 0.01  # deviation: a channel that the teacher leaves at one value is not blown up


@LOSSES.register("attention-output")
class AttentionOutput(nn.Module):
    """Mean squared error between the outputs of attention in units of the deviation of each of the teacher's channels.

    Student's behind a linear layer where the widths differ. Layers are paired from the first to the last in even steps;
    where they have other numbers of positions, the means over them are compared. Differs from the source: it has one
    architecture for both, and the loss of maps beside this one.
    """

    needs_features = True

    def __init__(self, student: Seen, teacher: Seen, temperature: float) -> None:
        super().__init__()
        for whose, seen in (("student", student), ("teacher", teacher)):
            if not seen.attended:
                raise ValueError(
                    f"`loss: attention-output` needs attention in both networks, and the {whose} has none: no "
                    "nn.MultiheadAttention, and no layers q, k and v by a usual name. Write `loss: hints`."
                )
        widths = [(ours.shape[2], theirs.shape[2]) for ours, theirs in paired(student, teacher)]
        self.projectors = nn.ModuleList(nn.Identity() if a == b else nn.Linear(a, b) for a, b in widths)

    def forward(self, student: Seen, teacher: Seen, y: Tensor) -> Tensor:
        """A scalar."""
        errors = []
        for project, (ours, theirs) in zip(self.projectors, paired(student, teacher), strict=True):
            scale = theirs.std((0, 1)).clamp_min(LEAST)
            errors.append(mse_loss(project(ours) / scale, theirs / scale))
        return torch.stack(errors).mean()


def paired(student: Seen, teacher: Seen) -> list[tuple[Tensor, Tensor]]:
    """(ours, theirs), (N, positions, channels) each: as many pairs as the shallower network has layers."""
    pairs = min(len(student.attended), len(teacher.attended))
    chosen = [
        [seen.attended[(i + 1) * len(seen.attended) // pairs - 1] for i in range(pairs)] for seen in (student, teacher)
    ]
    return [
        (one, other) if one.shape[1] == other.shape[1] else (one.mean(1, keepdim=True), other.mean(1, keepdim=True))
        for one, other in zip(*chosen, strict=True)
    ]
