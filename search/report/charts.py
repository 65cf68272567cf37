"""The report's charts as SVG text: numbers in, markup out. Colours are told apart by shape and fill as well."""

from collections.abc import Sequence
from html import escape

from search.report.axes import Axis, Box, axis, place_label
from search.report.comparison import Model, rivals, value_of
from search.report.drawing import BOTTOM, LEFT, RIGHT, TOP, bars, dot, grid, line, path, shape, stairs, svg, titled_grid
from search.report.summary import Point, Quantity, Summary, value_at
from search.report.words import title

WIDENS = 3.0  # an interval takes an axis so many times beyond all values at most


def front_svg(summary: Summary, found: Sequence[Model] = (), width: int = 880, height: int = 520) -> str:
    """The first objective against the second for every trial, with both fronts, limits, what shipped and the baselines.

    Filled marks were measured, hollow ones predicted; bars are 95 % intervals. A study with one objective is shown over
    its parameters. One self-contained <svg> that follows the reader's light or dark scheme.
    """
    names = [objective.name for objective in summary.objectives]
    y_name, x_name = (names + ["params"])[:2]
    shipped = [m for m in found if m.is_shipped and value_of(m, x_name) and value_of(m, y_name)]
    baselines = [m for m in rivals(found) if not m.is_shipped and value_of(m, x_name) and value_of(m, y_name)]
    points = [p for p in summary.points if value_at(p, y_name)]
    if not points:
        return _empty(width, "No trial is finished yet.")
    across = _extent([_value(p, x_name) for p in points], [value_of(m, x_name) for m in shipped + baselines])
    with_bars = [_value(p, y_name) for p in points if p.on_front] + [value_of(m, y_name) for m in shipped + baselines]
    up = _extent([_value(p, y_name) for p in points], with_bars)
    limit = summary.limits.get(x_name)
    near = [limit] if limit is not None and min(across) < limit < 1.5 * max(across) else []
    x = axis([*across, *near], LEFT, width - RIGHT, 8)
    y = axis(up, height - BOTTOM, TOP)
    inside = (LEFT, TOP, width - RIGHT, height - BOTTOM)
    better = "higher" if summary.objectives and summary.objectives[0].direction == "max" else "lower"
    parts = [*titled_grid(x, y, x_name, y_name, better, inside), *_legend(points, shipped, baselines)]
    parts += _limit_line(x, limit, bool(near), inside)
    marks = sorted(points, key=lambda p: (p.is_measured, p.origin != "random"))
    for point in marks:
        parts += _point(point, x, y, x_name, y_name)
    lines: list[Box] = []
    for members, origin in ((summary.random_front, "random"), (summary.front, "search")):
        corners = stairs((x(_value(p, x_name).value), y(_value(p, y_name).value)) for p in members)
        kind = "line" if origin == "search" else "thin"
        parts += [f'<g class="{origin}">{path(kind, corners)}</g>'] if len(members) > 1 else []
        for (x0, y0), (x1, y1) in zip(corners, corners[1:], strict=False):
            lines.append((min(x0, x1) - 2, min(y0, y1) - 2, max(x0, x1) + 2, max(y0, y1) + 2))
    taken: list[Box] = lines + [_around(x(_value(p, x_name).value), y(_value(p, y_name).value), 4) for p in points]
    for model in [*baselines, *shipped]:
        at = x(value_of(model, x_name).value), value_of(model, y_name)  # type: ignore[union-attr]
        taken += [_around(at[0], y(at[1].value), 8), (at[0] - 2, y(at[1].high), at[0] + 2, y(at[1].low))]  # type: ignore[union-attr]
    for model in [*shipped, *baselines]:
        parts += _model(model, x, y, x_name, y_name, taken, inside)
    about = f"{y_name} against {x_name} of {len(points)} architectures"
    return svg(width, height, about, parts)


def calibration_svg(pairs: Sequence[tuple[Quantity, Quantity]], name: str, side: int = 360) -> str:
    """Predicted (across) against measured later (up), with the line on which a perfect predictor lies."""
    values = [
        v for predicted, measured in pairs for v in (predicted.value, predicted.low, predicted.high, measured.value)
    ]
    x = axis(values, LEFT, side - RIGHT, 5)
    y = Axis(x.low, x.high, x.is_log, side - BOTTOM, 36.0, x.ticks)
    inside = (LEFT, 36.0, side - RIGHT, side - BOTTOM)
    parts = grid(x, y, inside)
    parts.append(f'<text x="{LEFT - 40}" y="16" class="strong">measured {escape(title(name))}</text>')
    middle = (LEFT + side - RIGHT) / 2
    parts.append(f'<text x="{middle:.1f}" y="{side - 18}" text-anchor="middle" class="strong">predicted</text>')
    parts.append(f'<g class="base">{line("thin", (x(x.low), y(x.low)), (x(x.high), y(x.high)))}</g>')
    for predicted, measured in pairs:
        across, up = x(predicted.value), y(measured.value)
        parts.append(f'<g class="search"><title>predicted {predicted.value:.3g}, measured {measured.value:.3g}</title>')
        parts.append(bars(predicted, measured, x, y) + dot("dot", across, up, 4.5) + "</g>")
    return svg(side, side, f"predicted and measured {name}", parts)


def _empty(width: int, text: str) -> str:
    return svg(
        width, 80, text, [f'<text class="soft" x="{width / 2:g}" y="44" text-anchor="middle">{escape(text)}</text>']
    )


def _legend(points: Sequence[Point], shipped: Sequence[Model], baselines: Sequence[Model]) -> list[str]:
    """Only what is there."""
    entries = []
    is_stitched = any(p.origin == "stitch" for p in points)
    for origin, words in (("search", "common weights" if is_stitched else "search"), ("random", "random")):
        for is_measured, how in ((True, "measured"), (False, "predicted")):
            if any((p.origin == "random") == (origin == "random") and p.is_measured == is_measured for p in points):
                entries.append((origin, "dot" if is_measured else "hollow", f"{words}, {how}"))
    square = "as they were" if is_stitched else "trained baseline"
    entries += [("ship", "diamond", "shipped")] * bool(shipped) + [("base", "square", square)] * bool(baselines)
    parts, at = [], LEFT - 38
    for colour, form, words in entries:
        mark = shape(form, at, 42) if form in ("diamond", "square") else dot(form, at, 42, 4.5)
        parts.append(f'<g class="{colour}">{mark}</g><text class="soft" x="{at + 11:g}" y="46">{words}</text>')
        at += 34 + 7 * len(words)  # of the widest font that may stand in for the system's
    return parts


def _limit_line(x: Axis, limit: float | None, is_shown: bool, inside: Box) -> list[str]:
    if limit is None:
        return []
    _, top, right, bottom = inside
    if not is_shown:
        place = f'x="{right - 4:g}" y="{bottom - 8:g}" text-anchor="end"'
        return [f'<text class="soft halo" {place}>limit {limit:g} is further right</text>']
    at = x(limit)
    label = f'<text class="soft halo" x="{at - 6:.1f}" y="{top + 12:g}" text-anchor="end">limit {limit:g}</text>'
    return [line("limit", (at, top), (at, bottom)), label]


def _point(point: Point, x: Axis, y: Axis, x_name: str, y_name: str) -> list[str]:
    across, up = _value(point, x_name), _value(point, y_name)
    colour = "random" if point.origin == "random" else "search"
    faint = "" if point.on_front or not point.is_measured else " faint"
    values = f"{y_name} {up.value:.3g}, {x_name} {across.value:.3g} ({across.kind})"
    hint = f"trial {point.number}: {values}; {point.description}"
    spread = (
        bars(across, up, x, y)
        if point.on_front
        else line("bar", (x(across.low), y(up.value)), (x(across.high), y(up.value)))
    )
    mark = dot("dot" if point.is_measured else "hollow", x(across.value), y(up.value), 5.0 if point.on_front else 3.6)
    return [f'<g class="{colour}{faint}"><title>{escape(hint)}</title>{spread if point.is_measured else ""}{mark}</g>']


def _model(
    model: Model, x: Axis, y: Axis, x_name: str, y_name: str, taken: list[Box], inside: Box
) -> list[str]:  # fmt: skip
    across, up = value_of(model, x_name), value_of(model, y_name)
    assert across is not None and up is not None
    at = x(across.value), y(up.value)
    colour, form = ("ship", "diamond") if model.is_shipped else ("base", "square")
    words = f"shipped: {model.name}, {model.precision}" if model.is_shipped else model.name
    label_x, label_y, anchor, box = place_label(words, *at, taken, inside)
    taken.append(box)
    hint = f"{words}: {y_name} {up.value:.3g}, {x_name} {across.value:.3g}; {model.description}"
    return [
        f'<g class="{colour}"><title>{escape(hint)}</title>{bars(across, up, x, y)}{shape(form, *at)}'
        f'<text class="{colour} strong halo" x="{label_x:.1f}" y="{label_y:.1f}" text-anchor="{anchor}">'
        f"{escape(words)}</text></g>"
    ]


def _value(point: Point, name: str) -> Quantity:
    return value_at(point, name) or point.values[name]


def _extent(values: Sequence[Quantity], with_bars: Sequence[Quantity | None]) -> list[float]:
    """What an axis must show: all values, and intervals where they are drawn (a log axis has no room below 0), unless
    these would leave the values a corner of it: a loss on few examples may be next to nothing, by its interval."""
    drawn = [q for q in with_bars if q]
    shown = [q.value for q in (*values, *drawn)]
    least, most = min(shown, default=0.0), max(shown, default=0.0)
    bars = [edge for q in drawn for edge in (q.low, q.high) if edge > 0 or q.value <= 0]
    return shown + ([min(max(edge, least / WIDENS), most * WIDENS) for edge in bars] if least > 0 else bars)


def _around(x: float, y: float, radius: float) -> Box:
    return x - radius, y - radius, x + radius, y + radius
