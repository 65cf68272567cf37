"""What the shipped network is worth for each class, told in words and as JSON. No I/O."""

from collections.abc import Sequence
from typing import Any

from compress.confusion import Confusion, Mistake
from search.report import words
from search.report.comparison import Model, best_shipped
from search.report.summary import Quantity
from search.state.confusions import confusions_of
from search.state.recorded import Recorded

FEW = 12  # classes that are all told; of more the worst ones
WORST = 5


def shipped_confusions(recorded: Recorded, found: Sequence[Model]) -> dict[str, Confusion]:
    """Of the best shipped model, by the part of the data, test first; empty for studies of older versions."""
    shipped = best_shipped(found)
    return confusions_of(recorded, shipped.id) if shipped else {}


def class_lines(recorded: Recorded, found: Sequence[Model]) -> list[str]:
    """The recall of each class, or of the worst ones, and what is confused most: under a heading, or nothing."""
    for split, confusion in shipped_confusions(recorded, found).items():
        told = told_classes(confusion)
        width = max(len(confusion.classes[number]) for number in told)
        rows = [f"  {confusion.classes[n]:<{width}}  {recall(confusion, n):<21}  {right(confusion, n)}" for n in told]
        head = heading(confusion, split) + (f", by {name}" if (name := name_among(found)) else "")
        return ["", head, *rows, *(f"  {sentence}" for sentence in sentences(confusion))]
    return []


def name_among(found: Sequence[Model]) -> str:
    """The name of the best shipped model where several ship; nothing where it is the only one."""
    best = best_shipped(found)
    return best.name if best and sum(model.is_shipped for model in found) > 1 else ""


def class_trees(recorded: Recorded, found: Sequence[Model]) -> list[dict[str, Any]]:
    """As JSON: of every shipped model all classes and all confusions, on each part of the data that is known."""
    return [
        {"variant": model.id, "split": split, **_tree(confusion)}
        for model in found
        if model.is_shipped
        for split, confusion in confusions_of(recorded, model.id).items()
    ]


def heading(confusion: Confusion, split: str) -> str:
    """Which classes are told, and on which examples."""
    asked = len(confusion.asked)
    which = "each class" if asked <= FEW else f"the worst {WORST} of {asked:,} classes"
    return f"{which}, on {confusion.n:,} {split} examples"


def told_classes(confusion: Confusion, few: int = FEW, worst: int = WORST) -> list[int]:
    """Numbers of all classes in their order, or of the worst ones, the worst first."""
    if len(confusion.asked) <= few:
        return list(confusion.asked)
    return sorted(confusion.asked, key=lambda number: (confusion.recall(number), number))[:worst]


def recall(confusion: Confusion, number: int) -> str:
    """97.2 % [85.8, 99.5]."""
    n = confusion.examples[number]
    return words.percent(Quantity(confusion.recall(number), *confusion.recall_interval(number), "exact", n))


def right(confusion: Confusion, number: int) -> str:
    """35 of 36."""
    return f"{confusion.right[number]:,} of {confusion.examples[number]:,}"


def sentences(confusion: Confusion) -> list[str]:
    """What accuracy hides where classes are uneven, and the most frequent confusions."""
    often = [mistake for mistake in confusion.mistakes[:3] if mistake.n > 1] or confusion.mistakes[:2]
    mistaken = "; ".join(_sentence(confusion, mistake) for mistake in often)
    return [*filter(None, (_balanced(confusion), f"{mistaken}." if mistaken else "Every answer is right."))]


def _sentence(confusion: Confusion, mistake: Mistake) -> str:
    true, answered = confusion.classes[mistake.true], confusion.classes[mistake.answered]
    verb = "is" if mistake.n == 1 else "are"
    return f"{mistake.n:,} of {confusion.examples[mistake.true]:,} `{true}` {verb} answered `{answered}`"


def _balanced(confusion: Confusion) -> str:
    if not confusion.is_uneven:
        return ""
    n = max(confusion.examples)
    commonest = confusion.classes[confusion.examples.index(n)]
    return (
        f"Balanced accuracy, the mean recall, is {100 * confusion.balanced_accuracy:.1f} % beside an accuracy of "
        f"{100 * confusion.accuracy:.1f} %: classes are uneven, {100 * n / confusion.n:.0f} % of the examples are "
        f"`{commonest}`."
    )


def _tree(confusion: Confusion) -> dict[str, Any]:
    names = confusion.classes
    rows = []
    for number, name in enumerate(names):
        row: dict[str, Any] = {"class": name, "n": confusion.examples[number], "right": confusion.right[number]}
        if confusion.examples[number]:
            low, high = confusion.recall_interval(number)
            row |= {"recall": confusion.recall(number), "low": low, "high": high}
        rows.append(row)
    return {
        "n": confusion.n,
        "accuracy": confusion.accuracy,
        "balanced_accuracy": confusion.balanced_accuracy,
        "uneven": confusion.is_uneven,
        "classes": rows,
        "confusions": [{"class": names[m.true], "answered": names[m.answered], "n": m.n} for m in confusion.mistakes],
        "all_confusions": confusion.is_whole,
    }
