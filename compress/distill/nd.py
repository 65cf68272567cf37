"""The norm and the direction of the teacher's features. Source: Wang et al. 2023, arXiv:2305.17007 (KD++)."""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from compress.distill import LOSSES
from compress.distill.logits import softened
from compress.distill.seen import Seen


@LOSSES.register("nd")
class NormAndDirection(nn.Module):
    """The plain loss of logits, and 1 - f . c / max(|f|, |t|) of the embeddings, averaged.

    f: the student's embedding, behind a linear layer where its size is not the teacher's; t: the teacher's; c: the
    direction of the teacher's mean embedding of the image's class. It is 0 for embeddings that point along their class
    and are at least as long as the teacher's. Differs from the source: the means are collected while training.
    """

    needs_features = True
    means: Tensor

    def __init__(self, student: Seen, teacher: Seen, temperature: float) -> None:
        super().__init__()
        assert student.embedding is not None and teacher.embedding is not None
        self.temperature = temperature
        ours, theirs = (seen.embedding.flatten(1).shape[1] for seen in (student, teacher))  # type: ignore[union-attr]
        self.project = nn.Identity() if ours == theirs else nn.Linear(ours, theirs, bias=False)
        self.register_buffer("means", torch.zeros(teacher.logits.shape[1], theirs))

    def forward(self, student: Seen, teacher: Seen, y: Tensor) -> Tensor:
        """A scalar."""
        assert student.embedding is not None and teacher.embedding is not None
        theirs = teacher.embedding.flatten(1).detach()
        ours = self.project(student.embedding.flatten(1))
        with torch.no_grad():
            self.means.index_add_(0, y, theirs)  # a sum: only its direction is used
        along = (ours * normalize(self.means, dim=1)[y]).sum(1)
        longest = torch.maximum(ours.norm(dim=1), theirs.norm(dim=1)).clamp_min(1e-8)
        return softened(student.logits, teacher.logits, self.temperature) + (1 - along / longest).mean()
