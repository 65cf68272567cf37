"""Decoupled knowledge distillation. Source: Zhao et al. 2022, arXiv:2203.08679, equation 7."""

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, one_hot

from compress.distill import LOSSES
from compress.distill.logits import softened
from compress.distill.seen import Seen

BETA = 2.0  # the source uses 1 to 8, more for confident teachers
FAR = -1e4  # a logit that takes its class out of a softmax


@LOSSES.register("dkd")
class Decoupled(nn.Module):
    """T^2 (TCKD + 2 NCKD): how sure the teacher is of the right class, and what it makes of the other ones.

    In the plain loss the second term fades where the teacher is sure; here its weight is its own.
    """

    needs_features = False

    def __init__(self, student: Seen, teacher: Seen, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, student: Seen, teacher: Seen, y: Tensor) -> Tensor:
        """A scalar."""
        right = one_hot(y, student.logits.shape[1]).bool()
        sure = [right_or_not(seen.logits / self.temperature, right) for seen in (student, teacher)]
        target = self.temperature**2 * (sure[1].exp() * (sure[1] - sure[0])).sum(1).mean()
        rest = [seen.logits.masked_fill(right, FAR * self.temperature) for seen in (student, teacher)]
        return target + BETA * softened(rest[0], rest[1], self.temperature)


def right_or_not(logits: Tensor, right: Tensor) -> Tensor:
    """(N, 2): log-probabilities of the right class and of all others together."""
    log_p = log_softmax(logits, 1)
    return torch.stack([log_p[right], log_p.masked_fill(right, FAR).logsumexp(1)], 1)
