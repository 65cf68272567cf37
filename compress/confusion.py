"""How often each class was answered as which other: counts, not a network's logits."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Z = 1.96  # of a 95 % interval
WHOLE = 100  # classes up to which every confusion is kept
KEPT = 100  # of more classes so many, the most frequent ones
UNEVEN = 1.5  # times its fair share, which the commonest class has where classes are called uneven


@dataclass(frozen=True)
class Mistake:
    """`n` examples of the class numbered `true` were answered as the class numbered `answered`."""

    true: int
    answered: int
    n: int


@dataclass(frozen=True)
class Confusion:
    """A confusion matrix without its zeros. examples, right: one count a class, of the examples that are of it.

    mistakes: most frequent first; of more than `WHOLE` classes only the first `KEPT`, see `is_whole`.
    """

    classes: tuple[str, ...]
    examples: tuple[int, ...]
    right: tuple[int, ...]
    mistakes: tuple[Mistake, ...]

    @property
    def n(self) -> int:
        """Examples."""
        return sum(self.examples)

    @property
    def is_whole(self) -> bool:
        """Whether `mistakes` names every wrong answer."""
        return sum(self.right) + sum(mistake.n for mistake in self.mistakes) == self.n

    @property
    def asked(self) -> tuple[int, ...]:
        """Numbers of the classes that there are examples of."""
        return tuple(number for number, n in enumerate(self.examples) if n)

    @property
    def accuracy(self) -> float:
        """Share of right answers, 0 to 1."""
        return sum(self.right) / self.n

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall of the classes that there are examples of, 0 to 1."""
        return sum(self.recall(number) for number in self.asked) / len(self.asked)

    @property
    def is_uneven(self) -> bool:
        """The commonest class has over `UNEVEN` times its fair share of the examples."""
        return max(self.examples) > UNEVEN * self.n / len(self.asked)

    def recall(self, number: int) -> float:
        """Share of a class's examples that are answered right, 0 to 1. Only of a class that was `asked`."""
        return self.right[number] / self.examples[number]

    def recall_interval(self, number: int) -> tuple[float, float]:
        """95 % interval of the recall."""
        return wilson(self.recall(number), self.examples[number])

    def rows(self) -> list[list[int]]:
        """The matrix itself: a row a true class, a column an answered one. Cost: classes squared."""
        made = [[0] * len(self.classes) for _ in self.classes]
        for number, n in enumerate(self.right):
            made[number][number] = n
        for mistake in self.mistakes:
            made[mistake.true][mistake.answered] = mistake.n
        return made

    def tree(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "classes": list(self.classes),
            "examples": list(self.examples),
            "right": list(self.right),
            "mistakes": [[mistake.true, mistake.answered, mistake.n] for mistake in self.mistakes],
        }

    @staticmethod
    def of_tree(tree: Mapping[str, Any]) -> "Confusion":
        """The inverse of `tree`."""
        mistakes = tuple(Mistake(*mistake) for mistake in tree["mistakes"])
        return Confusion(tuple(tree["classes"]), tuple(tree["examples"]), tuple(tree["right"]), mistakes)


def confusion_of(labels: Iterable[int], answers: Iterable[int], classes: Sequence[str]) -> Confusion:
    """Counted from the true class and the answered one of each example, which are numbers of `classes`."""
    counted = Counter(zip(labels, answers, strict=True))
    wrong = [Mistake(true, answered, n) for (true, answered), n in counted.items() if true != answered]
    wrong.sort(key=lambda mistake: (-mistake.n, mistake.true, mistake.answered))
    examples = [0] * len(classes)
    for (true, _), n in counted.items():
        examples[true] += n
    right = tuple(counted[number, number] for number in range(len(classes)))
    return Confusion(tuple(classes), tuple(examples), right, tuple(wrong if len(classes) <= WHOLE else wrong[:KEPT]))


def wilson(share: float, n: int) -> tuple[float, float]:
    """95 % interval of a share of n examples. Source: Wilson 1927."""
    centre = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return min(share, centre - half), max(share, centre + half)
