"""The teacher's softened answers. Source: Hinton et al. 2015, arXiv:1503.02531."""

from torch import Tensor, nn
from torch.nn.functional import kl_div, log_softmax

from compress.distill import LOSSES
from compress.distill.seen import Seen


@LOSSES.register("logits")
class Logits(nn.Module):
    """T^2 KL(teacher_T || student_T), T the temperature."""

    needs_features = False

    def __init__(self, student: Seen, teacher: Seen, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, student: Seen, teacher: Seen, y: Tensor) -> Tensor:
        """A scalar."""
        return softened(student.logits, teacher.logits, self.temperature)


def softened(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T^2 KL between (N, classes) logits divided by T: the square keeps gradients the same at every temperature."""
    log_student, log_teacher = (log_softmax(x / temperature, 1) for x in (student, teacher))
    return temperature**2 * kl_div(log_student, log_teacher, reduction="batchmean", log_target=True)
