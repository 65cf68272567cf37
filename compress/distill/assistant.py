"""A teacher's assistant, found between the teacher and the student.

Source: Han et al. 2024, arXiv:2407.04208 (AMD). A student much smaller than its teacher learns more from a network of a
size in between. Which size is found out: the teacher is pruned to several, each candidate learns from the teacher, and
the one that loses least accuracy for a parameter that it saves (the largest negative performance-scale derivative)
teaches the student. Differs: three sizes instead of a grid of ten; each candidate is fitted by least squares after the
cut (prune/refit.py) and trained alone for a few epochs instead of all together with shared weights, so that a user's
own network can have an assistant too.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from torch import nn

from compress.context import Context
from compress.evaluate import Quality, evaluate
from compress.foreign import Description, counts_of
from compress.prune import by_ratio  # the module: it imports compress.recipe, which imports this one
from compress.recipe import StepError

CANDIDATES = 3
SHARE = 4  # of the epochs a quarter is the candidates': with a half the student is left too few (studies/LOG.md)

Teach = Callable[[nn.Module, Context, int], object]  # train in place with the context's teacher, so many epochs


@dataclass(frozen=True)
class Candidate:
    """A network between teacher and student. quality: on the validation images."""

    arch: Description
    network: nn.Module = field(compare=False)
    quality: Quality = field(compare=False)

    @property
    def params(self) -> int:
        """How many."""
        return counts_of(self.arch).params


@dataclass(frozen=True)
class Assistant:
    """The candidate that teaches, and what it was chosen by. tried: (parameters, accuracy) of all, the largest first;
    teacher: the same of the teacher. epochs: of training, of all candidates together; seconds: of cutting and training.
    """

    chosen: Candidate
    tried: tuple[tuple[int, float], ...]
    teacher: tuple[int, float]
    epochs: int
    seconds: float

    def describe(self) -> str:
        """For people: who it is, and beside what."""
        params, accuracy = self.teacher
        tried = f"the best of {len(self.tried)} after {self.epochs // len(self.tried)} epochs each"
        return (
            f"taught by an assistant of {self.chosen.params:,} parameters ({self.chosen.quality.accuracy:.1%}; the "
            f"teacher has {params:,} and {accuracy:.1%}), {tried}"
        )


def find_assistant(student: Description, context: Context, epochs: int, teach: Teach) -> Assistant:
    """The best of up to three pruned copies of the context's teacher, trained for a quarter of `epochs` in all at most.

    epochs: at least 4. Raises: StepError: if no network lies between the two. Cost: those epochs, each longer than one
    of the student.
    """
    assert context.teacher is not None
    began = time.monotonic()
    shared = epochs // SHARE
    copies = between(student, context, min(CANDIDATES, shared))
    each = shared // len(copies)
    for _, network in copies:
        teach(network, context, each)
    validation = context.data.validation
    found = [Candidate(arch, network, evaluate(network, context.data, validation)) for arch, network in copies]
    assert context.teacher_arch is not None
    params = counts_of(context.teacher_arch).params
    teacher = params, evaluate(context.teacher, context.data, validation).accuracy
    chosen = max(found, key=lambda candidate: (derivative(candidate, teacher), -candidate.params))
    tried = tuple((candidate.params, candidate.quality.accuracy) for candidate in found)
    return Assistant(chosen, tried, teacher, each * len(copies), time.monotonic() - began)


def derivative(candidate: Candidate, teacher: tuple[int, float]) -> float:
    """The accuracy that it has more than the teacher, for each parameter that it has less; most often negative."""
    params, accuracy = teacher
    return (candidate.quality.accuracy - accuracy) / (params - candidate.params)


def between(student: Description, context: Context, count: int) -> list[tuple[Description, nn.Module]]:
    """Up to `count` copies of the teacher pruned to sizes between the two, in equal ratios, the largest first; fitted,
    not trained.

    Parameters go with the square of the widths. Raises: StepError: if there are none.
    """
    assert context.teacher is not None
    if context.teacher_arch is None:
        raise StepError("`assistant: auto` prunes the teacher, whose description the context does not have.")
    largest, smallest = counts_of(context.teacher_arch).params, counts_of(student).params
    found: dict[str, tuple[Description, nn.Module]] = {}
    why = "pruned copies of it come to no size between"
    for place in range(1, count + 1):
        share = (smallest / largest) ** (place / (count + 1))
        if share >= 1:
            why = "it is not the larger one"
            continue
        try:
            ratio = 1 - share**0.5
            arch, network = by_ratio.pruned(context.teacher_arch, context.teacher, context.data, ratio, width=True)
        except StepError as error:
            why = str(error)
            continue
        if smallest < counts_of(arch).params < largest:
            found[arch.id] = arch, network
    if not found:
        raise StepError(
            f"no assistant between the teacher ({largest:,} parameters) and the student ({smallest:,}): "
            f"{why.rstrip('.')}. Leave `assistant` away, or take a larger teacher of convolutions or of a study."
        )
    return list(found.values())


def taught_by(assistant: Assistant, context: Context) -> Context:
    """The same with the assistant as the teacher."""
    return replace(context, teacher=assistant.chosen.network, teacher_arch=assistant.chosen.arch)
