"""The teacher's class, learned by a second head. Source: Touvron et al. 2021, arXiv:2012.12877 (DeiT)."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from compress.distill import LOSSES
from compress.distill.seen import Seen


@LOSSES.register("deit")
class SecondHead(nn.Module):
    """A second last linear layer learns the class that the teacher says (hard labels); the student's own learns the
    labels alone. When training ends, the student's becomes the mean of both.

    So each head has an optimum of its own, and only what both read learns from labels and teacher. Differs from the
    source: there is no token, both heads read the same features (decision 37); and logits are averaged, not
    probabilities, so that the mean is one linear layer again and nothing is added to the student.
    """

    needs_features = True

    def __init__(self, student: Seen, teacher: Seen, temperature: float) -> None:
        super().__init__()
        self.first = (plain_head(student),)  # in a tuple, so that it is no part of the loss
        (first,) = self.first
        bias, like = first.bias is not None, {"device": first.weight.device, "dtype": first.weight.dtype}
        self.second = nn.Linear(first.in_features, first.out_features, bias, **like)
        self.second.load_state_dict(first.state_dict())

    def forward(self, student: Seen, teacher: Seen, y: Tensor) -> Tensor:
        """A scalar."""
        assert student.embedding is not None
        return cross_entropy(self.second(student.embedding), teacher.logits.argmax(1))

    def finish(self, weight: float) -> None:
        """Merge the second head into the student's. With `weight` 1 the labels taught the first nothing, and only the
        second stays."""
        share = 0.5 if weight < 1 else 1.0
        with torch.no_grad():
            for mine, other in zip(self.first[0].parameters(), self.second.parameters(), strict=True):
                mine.lerp_(other, share)


def plain_head(student: Seen) -> nn.Linear:
    """The linear layer whose output the answers are. Raises ValueError if they are not, or if its weights are not its
    own parameters: a mean written there would not be the mean of the answers."""
    head, embedding = student.head, student.embedding
    assert head is not None and embedding is not None  # Watched sees to it
    with torch.no_grad():
        furthest = (head(embedding) - student.logits).abs().max().item()
    why = ""
    if not isinstance(head.weight, nn.Parameter):
        why = "the weights of the last one are computed from others"
    elif furthest > 1e-4 * max(1.0, student.logits.abs().max().item()):
        why = f"what the last one puts out is changed by up to {furthest:.2g} behind it"
    if why:
        raise ValueError(f"`loss: deit` needs a student whose answer is one linear layer's; {why}. Write `loss: ofa`.")
    return head
