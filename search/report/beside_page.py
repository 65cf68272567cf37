"""Several studies as a table and as one HTML file with their fronts in one picture."""

from collections.abc import Sequence
from html import escape
from typing import Any

from search.report import words
from search.report.axes import Axis, axis
from search.report.beside import Beside, Network, beside, remarks
from search.report.drawing import BOTTOM, LEFT, RIGHT, TOP, bars, dot, path, shape, stairs, svg, titled_grid
from search.report.html import filled, page_html
from search.report.summary import Quantity, objectives_of
from search.state.recorded import Recorded
from search.watch import duration

# Wong 2011, Nature Methods 8:441: told apart by colour-blind readers too, on white and on black
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
DASHES = ("", "7 4", "2 4")
HEADS = ("study", "sampler", "seed", "trials", "front", "share", "test accuracy", "latency", "file", "time")
MEANING = (
    "Share: how much of the box that all fronts span (from the best value on any of them to the worst plus a tenth of "
    "the range) the study's own front dominates. One run each: another seed would give another number."
)
CAPTION = "Marks are networks that a study kept, as files; diamonds are those it shipped. Bars are 95 % intervals."


def rows(found: Sequence[Beside]) -> list[list[str]]:
    """A row a study, in the order of HEADS."""
    return [_row(one) for one in found]


def tree(studies: Sequence[Recorded], found: Sequence[Beside]) -> dict[str, Any]:
    """The same as JSON."""
    return {"v": 1, "remarks": list(remarks(studies)), "studies": [_tree(one) for one in found]}


def beside_html(studies: Sequence[Recorded]) -> str:
    """The page. Raises: UsageError: for studies that cannot be compared."""
    found = beside(studies)
    head = "".join(f"<th>{escape(text)}</th>" for text in HEADS)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows(found))
    sections = filled(
        "beside.html",
        about=escape(MEANING),
        front=fronts_svg(studies, found),
        caption=escape(CAPTION),
        remarks="".join(f"<p>{escape(sentence)}</p>" for sentence in remarks(studies)),
        table=f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>',
    )
    names = ", ".join(one.name for one in found)
    return page_html(
        names, f"{len(found)} studies beside each other", sections, "Written by Lathe from the study database."
    )


def fronts_svg(studies: Sequence[Recorded], found: Sequence[Beside], width: int = 880, height: int = 520) -> str:
    """The fronts of all studies: the first objective upwards, the second across (the only one both ways)."""
    first, *others = objectives_of(studies[0].study.config)
    y_name, x_name = first.name, others[0].name if others else first.name
    every = [network.values for one in found for network in one.networks]
    if not every:
        return svg(width, 80, "nothing yet", [f'<text class="soft" x="{width / 2:g}" y="44">Nothing yet.</text>'])
    x = axis([edge for values in every for edge in _edges(values[x_name])], LEFT, width - RIGHT, 8)
    y = axis([edge for values in every for edge in _edges(values[y_name])], height - BOTTOM, TOP)
    better = "higher" if first.direction == "max" else "lower"
    parts = titled_grid(x, y, x_name, y_name, better, (LEFT, TOP, width - RIGHT, height - BOTTOM))
    at = LEFT - 38
    for index, one in enumerate(found):
        colour, dash = COLOURS[index % len(COLOURS)], DASHES[index // len(COLOURS) % len(DASHES)]
        parts.append(f'<g style="color:{colour};stroke-dasharray:{dash or "none"}">{dot("dot", at, 42, 4.5)}')
        corners = stairs((x(n.values[x_name].value), y(n.values[y_name].value)) for n in one.networks)
        parts += [path("line", corners)] if len(one.networks) > 1 else []
        parts += [_mark(network, x, y, x_name, y_name) for network in one.networks]
        parts.append(f'</g><text class="soft" x="{at + 11:g}" y="46">{escape(one.name)}</text>')
        at += 34 + 6.6 * len(one.name)
    return svg(width, height, f"{y_name} against {x_name} of {len(found)} studies", parts)


def _mark(network: Network, x: Axis, y: Axis, x_name: str, y_name: str) -> str:
    across, up = network.values[x_name], network.values[y_name]
    at = x(across.value), y(up.value)
    hint = f"{network.name}: {y_name} {words.number(up)}, {x_name} {words.number(across)}; {network.description}"
    mark = shape("diamond", *at) if network.is_shipped else dot("dot", *at, 5.0)
    return f"<g><title>{escape(hint)}</title>{bars(across, up, x, y)}{mark}</g>"


def _edges(value: Quantity) -> tuple[float, ...]:
    """What an axis must show of a value; one that is positive keeps to that, so that the axis may be logarithmic."""
    return value.value, max(value.low, value.value / 4) if value.value > 0 else value.low, value.high


def _row(one: Beside) -> list[str]:
    shipped = one.shipped
    made = [
        words.percent(shipped.test_accuracy or shipped.accuracy) if shipped else "–",
        words.latency(shipped.latency) if shipped else "–",
        words.size(shipped.size_bytes) if shipped else "–",
    ]
    share = "–" if one.share is None else f"{one.share:.3f}"
    time = "–" if one.seconds is None else duration(one.seconds)
    return [one.name, one.sampler, str(one.seed), str(one.trials), str(len(one.networks)), share, *made, time]


def _tree(one: Beside) -> dict[str, Any]:
    tree = {name: getattr(one, name) for name in ("name", "sampler", "seed", "trials", "share", "seconds")}
    networks = [
        {"name": n.name, "architecture": n.description, "is_shipped": n.is_shipped}
        | {name: value.value for name, value in n.values.items()}
        for n in one.networks
    ]
    return tree | {"networks": networks}
