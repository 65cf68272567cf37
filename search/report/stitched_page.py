"""What the report says of a stitched study in place of what it says of a search. Markup out, no I/O."""

from collections.abc import Sequence
from html import escape

from search.report import words
from search.report.comparison import Model, models
from search.report.telling_stitched import added, files, members
from search.state.recorded import Recorded

CAPTION = (
    "Dots are networks with the common weights: the small one, the large one and those between. Diamonds are the files "
    "that ship, squares those of the two networks as they were that do not. Bars are 95 % intervals. Above and to the "
    "left of the line lies nothing: it is the front."
)


def stitched_parts(recorded: Recorded) -> dict[str, str]:
    """Parts of page.html by name."""
    found, screened = models(recorded), members(recorded)
    of, chosen = recorded.study.config["stitch"]["of"], files(found)
    broken = sum(bool(point.limits_broken) for _, point in screened)
    outside = f" {broken} break a limit." if broken else ""
    return {
        "headline": _headline(chosen, added(found), of, recorded.study.name),
        "front_about": escape(
            f"{len(screened)} networks of one store: the small and the large network of study {of}, and every stitch "
            f"between them.{outside}"
        ),
        "front_caption": CAPTION,
    }


def _headline(chosen: Sequence[Model], told: str, of: str, name: str) -> str:
    if not chosen:
        return f"<h2>Nothing is shipped yet.</h2><p class='about'>Networks between two of study {escape(of)}.</p>"
    cells = "".join(
        f"<div><dt>{escape(m.name)}</dt><dd>{escape(words.latency(m.latency).partition(' [')[0])}"
        f"<small>{escape(words.percent(m.test_accuracy or m.accuracy))} {'test' if m.test_accuracy else 'validation'} "
        f"accuracy, {escape(words.size(m.size_bytes))}</small></dd></div>"
        for m in chosen
    )
    return (
        f"<h2>{len(chosen)} files to choose from by latency</h2><p class='about'>Networks between two of study "
        f"{escape(of)}: <code>search export {escape(name)} --budget 0.05ms</code> takes the best within a budget.</p>"
        f'<dl class="facts">{cells}</dl><p>{escape(told)}</p>'
    )
