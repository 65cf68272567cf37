"""Whether what a study ships knows more than which class is the commonest, and what is not claimed then. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from search.report import words
from search.report.comparison import TEACH, Comparison, Model, best_shipped, compare, may_guess
from search.report.summary import Summary, covered
from search.state.recorded import Recorded
from search.state.records import COMMONEST


def no_better_than_guessing(recorded: Recorded, found: Sequence[Model]) -> str:
    """One sentence where the shipped network is not shown to be right more often than who always answers the commonest
    class of the training part, on the same validation examples; else nothing. Studies of older versions tell nothing.
    """
    shipped, known = best_shipped(found), _known(recorded)
    if shipped is None or not known or not may_guess(shipped, known["share"]):
        return ""
    return (
        f"Not shown to be better than guessing: who always answers {known['class']!r} is right on "
        f"{100 * known['share']:.1f} % of the {known['n']:,} validation examples, the shipped network on "
        f"{words.percent(shipped.accuracy)}. {TEACH}"
    )


def comparisons(recorded: Recorded, found: Sequence[Model]) -> tuple[Comparison, ...]:
    """The verdicts on what is shipped, which claim no win for a network that may be guessing."""
    return compare(found, _known(recorded).get("share"))


def held_back(summary: Summary, recorded: Recorded, found: Sequence[Model]) -> Summary:
    """The summary; where the shipped network may be guessing, its coverage says of no front that it won."""
    if summary.coverage is None or not no_better_than_guessing(recorded, found):
        return summary
    both = covered(summary.coverage.search, summary.coverage.random)
    said = f"{both}: nothing can be concluded from that until networks learn the task."
    return replace(summary, coverage=replace(summary.coverage, sentence=said))


def _known(recorded: Recorded) -> Mapping[str, Any]:
    """Of the commonest class: `class`, `share` of the validation examples, and how many those are, `n`; or nothing."""
    return next((event.data for event in recorded.events if event.kind == COMMONEST), {})
