"""The teacher's likeliest classes only. Source: Tan et al. 2019, arXiv:1902.10461 (top-K distillation)."""

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from compress.distill import LOSSES
from compress.distill.seen import Seen

K = 5


@LOSSES.register("topk")
class TopK(nn.Module):
    """T^2 KL between teacher and student over the teacher's 5 likeliest classes (half of them below ten classes).

    Differs from the source, which drops the other classes: they count together as one, so that the student cannot put
    probability there for nothing.
    """

    needs_features = False

    def __init__(self, student: Seen, teacher: Seen, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.k = max(1, min(K, teacher.logits.shape[1] // 2))

    def forward(self, student: Seen, teacher: Seen, y: Tensor) -> Tensor:
        """A scalar."""
        top = teacher.logits.topk(self.k, 1).indices
        ours, theirs = (self._reduced(seen.logits, top) for seen in (student, teacher))
        return self.temperature**2 * (theirs.exp() * (theirs - ours)).sum(1).mean()

    def _reduced(self, logits: Tensor, top: Tensor) -> Tensor:
        """(N, k + 1): log-probabilities of the top classes, and of the rest together."""
        log_p = log_softmax(logits / self.temperature, 1)
        rest = log_p.scatter(1, top, float("-inf")).logsumexp(1, keepdim=True)
        return torch.cat([log_p.gather(1, top), rest], 1)
