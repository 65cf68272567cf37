"""How the images of a batch lie to each other. Source: Park et al. 2019, arXiv:1904.05068 (relational distillation)."""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, smooth_l1_loss

from compress.distill import LOSSES
from compress.distill.seen import Seen

DISTANCE, ANGLE = 25.0, 50.0  # the source's for classification
ANCHORS = 32  # angles are of triples: more images would cost their cube


@LOSSES.register("relations")
class Relations(nn.Module):
    """Huber losses of the distances between embeddings, 25 times, and of the angles in their triples, 50 times.

    Embeddings are not compared with each other, so their sizes may differ. Differs from the source: angles are of the
    first 32 images of a batch.
    """

    needs_features = True

    def __init__(self, student: Seen, teacher: Seen, temperature: float) -> None:
        super().__init__()

    def forward(self, student: Seen, teacher: Seen, y: Tensor) -> Tensor:
        """A scalar."""
        assert student.embedding is not None and teacher.embedding is not None
        ours, theirs = student.embedding.flatten(1), teacher.embedding.flatten(1)
        distance = smooth_l1_loss(distances(ours), distances(theirs))
        angle = smooth_l1_loss(angles(ours[:ANCHORS]), angles(theirs[:ANCHORS]))
        return DISTANCE * distance + ANGLE * angle


def distances(x: Tensor) -> Tensor:
    """(N, D) -> (N (N - 1) / 2,): distances between all pairs, divided by their mean."""
    found = torch.pdist(x)
    return found / found.mean().clamp_min(1e-8)


def angles(x: Tensor) -> Tensor:
    """(N, D) -> (N, N, N): the cosine at image i between images j and k."""
    towards = normalize(x[None] - x[:, None], dim=2)
    return towards @ towards.transpose(1, 2)
