"""What a convolutional teacher sees where, for a transformer. Source: Zhao et al. 2023, arXiv:2307.08500 (CSKD)."""

from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear

from compress.distill import LOSSES
from compress.distill.seen import Seen, matched


@LOSSES.register("cskd")
class CumulativeSpatial(nn.Module):
    """The class that the teacher sees at each position of its last maps, told to the student's map there.

    The teacher's answer at a position is its last linear layer on that position's features, averaged with its answer
    to the whole image; the student's is a linear layer of the loss's own. The student's answer learns the teacher's
    class too (hard labels, Touvron et al. 2021, arXiv:2012.12877). Differs from the source: the two answers of the
    teacher are mixed by half all the time, where the source goes from the first to the second.
    """

    needs_features = True

    def __init__(self, student: Seen, teacher: Seen, temperature: float) -> None:
        super().__init__()
        width = teacher.maps[-1].shape[1]
        if teacher.head is None or teacher.head.in_features != width:
            raise ValueError(
                "`loss: cskd` needs a teacher whose last linear layer reads the mean of its last maps. "
                "Write `loss: ofa`."
            )
        self.answer = nn.Conv2d(student.maps[-1].shape[1], teacher.logits.shape[1], 1)

    def forward(self, student: Seen, teacher: Seen, y: Tensor) -> Tensor:
        """A scalar."""
        assert teacher.head is not None
        ours, theirs = next(matched(student, teacher))
        there = linear(theirs.movedim(1, -1), teacher.head.weight, teacher.head.bias).movedim(-1, 1)
        seen = (there + teacher.logits[:, :, None, None]).argmax(1).detach()
        whole = cross_entropy(student.logits, teacher.logits.argmax(1))
        return (cross_entropy(self.answer(ours), seen) + whole) / 2
