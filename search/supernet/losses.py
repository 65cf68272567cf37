"""What a network of a step learns: the labels, or the outputs of the one that teaches it.

Source of the alpha-divergence: Wang et al. 2021 (AlphaNet), arXiv:2102.07954.
"""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax

DIVERGENCES = ("kl", "alpha")
RATIO_MAX = 5.0  # what importance ratios of the alpha-divergence are cut to: without it its loss can become infinite


def divergence(name: str, logits: Tensor, soft: Tensor) -> Tensor:
    """How far `logits` are from the teacher's probabilities `soft` (N, classes), by name; `kl` but for a constant."""
    return alpha_divergence(logits, soft) if name == "alpha" else cross_entropy(logits, soft)


def alpha_divergence(logits: Tensor, soft: Tensor) -> Tensor:
    """Mean over the batch of the larger of the alpha-divergences for alpha -1 and 1 (kl) from `soft` (N, classes).

    The value is the divergence with its importance ratios cut at RATIO_MAX. Its gradient flows through the student's
    log probabilities alone, weighed by the ratios, as in the source.
    """
    log_student = log_softmax(logits, 1)
    student = log_student.detach().exp()
    ratio = soft.clamp_min(1e-12) / student.clamp_min(1e-12)
    forward = (ratio.clamp_max(RATIO_MAX) * student).detach()  # alpha = 1: the ratio weighs the student's own
    backward = ((1 / ratio).clamp_max(RATIO_MAX) * student).detach()  # alpha = -1
    value_forward = (forward * ratio.log()).sum(1)
    value_backward = 0.5 * (backward.sum(1) - 1)
    surrogate = torch.where(
        value_forward >= value_backward, -(forward * log_student).sum(1), (backward * log_student).sum(1)
    )
    value = torch.maximum(value_forward, value_backward)
    return (surrogate - surrogate.detach() + value).mean()
