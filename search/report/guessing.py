"""Whether what a study ships knows more than which class is the commonest. No I/O."""

from collections.abc import Sequence

from search.report import words
from search.report.comparison import Model, best_shipped
from search.state.recorded import Recorded
from search.state.records import COMMONEST


def no_better_than_guessing(recorded: Recorded, found: Sequence[Model]) -> str:
    """One sentence where the shipped network is not shown to be right more often than who always answers the commonest
    class of the training part, on the same validation examples; else nothing. Studies of older versions tell nothing.
    """
    shipped = best_shipped(found)
    known = next((event.data for event in recorded.events if event.kind == COMMONEST), None)
    if shipped is None or shipped.accuracy is None or known is None or shipped.accuracy.low > known["share"]:
        return ""
    return (
        f"Not shown to be better than guessing: who always answers {known['class']!r} is right on "
        f"{100 * known['share']:.1f} % of the {known['n']:,} validation examples, the shipped network on "
        f"{words.percent(shipped.accuracy)}. Train longer, or add examples, before you compare networks."
    )
