"""The report's charts as SVG text: numbers in, markup out. Colours are told apart by shape and fill as well."""

from collections.abc import Iterable, Sequence
from html import escape

from search.report.axes import Axis, Box, axis, place_label
from search.report.comparison import Model, rivals
from search.report.summary import Point, Quantity, Summary
from search.report.words import title

LIGHT = "--paper:#fff;--ink:#1b1f24;--soft:#5b6570;--rule:#e4e8ec;--search:#0067a8;--random:#c2570c;--ship:#00795c"
DARK = "--paper:#14171a;--ink:#e8ebee;--soft:#98a2ac;--rule:#2a3036;--search:#5bb4f0;--random:#f0a04b;--ship:#3fcf9f"
STYLE = f"""
.lathe{{{LIGHT}}}
.lathe text{{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;fill:var(--ink)}}
.lathe .paper{{fill:var(--paper)}}.lathe .soft{{fill:var(--soft)}}.lathe .strong{{font-weight:600}}
.lathe .grid{{stroke:var(--rule);stroke-width:1}}.lathe .frame{{stroke:var(--soft);stroke-width:1}}
.lathe .search{{color:var(--search)}}.lathe .random{{color:var(--random)}}
.lathe .ship{{color:var(--ship)}}.lathe .base{{color:var(--ink)}}
.lathe .dot{{fill:currentColor;stroke:var(--paper);stroke-width:.8}}.lathe .faint{{opacity:.45}}
.lathe .hollow{{fill:var(--paper);stroke:currentColor;stroke-width:1.3;opacity:.6}}
.lathe .bar{{stroke:currentColor;stroke-width:1.1;opacity:.55}}
.lathe .line{{stroke:currentColor;stroke-width:2;fill:none;stroke-linejoin:round}}
.lathe .thin{{stroke:currentColor;stroke-width:1.4;fill:none;stroke-dasharray:2 4;stroke-linecap:round}}
.lathe .limit{{stroke:var(--soft);stroke-width:1.2;stroke-dasharray:7 4}}
.lathe .mark{{fill:currentColor;stroke:var(--paper);stroke-width:1.5}}.lathe text.ship{{fill:currentColor}}
.lathe .halo{{paint-order:stroke;stroke:var(--paper);stroke-width:4px;stroke-linejoin:round}}
@media (prefers-color-scheme:dark){{.lathe{{{DARK}}}}}
@media print{{.lathe{{{LIGHT}}}}}
"""
LEFT, RIGHT, TOP, BOTTOM = 62.0, 26.0, 64.0, 58.0


def front_svg(summary: Summary, found: Sequence[Model] = (), width: int = 880, height: int = 520) -> str:
    """The first objective against the second for every trial, with both fronts, limits, what shipped and the baselines.

    Filled marks were measured, hollow ones predicted; bars are 95 % intervals. A study with one objective is shown over
    its parameters. One self-contained <svg> that follows the reader's light or dark scheme.
    """
    names = [objective.name for objective in summary.objectives]
    y_name, x_name = (names + ["params"])[:2]
    shipped = [m for m in found if m.is_shipped and _of(m, x_name) and _of(m, y_name)]
    baselines = [m for m in rivals(found) if _of(m, x_name) and _of(m, y_name)]
    points = [p for p in summary.points if _at(p, y_name)]
    if not points:
        return _empty(width, "No trial is finished yet.")
    across = _extent([_value(p, x_name) for p in points], [_of(m, x_name) for m in shipped + baselines])
    with_bars = [_value(p, y_name) for p in points if p.on_front] + [_of(m, y_name) for m in shipped + baselines]
    up = _extent([_value(p, y_name) for p in points], with_bars)
    limit = summary.limits.get(x_name)
    near = [limit] if limit is not None and min(across) < limit < 1.5 * max(across) else []
    x = axis([*across, *near], LEFT, width - RIGHT, 8)
    y = axis(up, height - BOTTOM, TOP)
    inside = (LEFT, TOP, width - RIGHT, height - BOTTOM)
    parts = [*_frame(x, y, x_name, y_name, inside, summary), *_legend(points, shipped, baselines)]
    parts += _limit_line(x, limit, bool(near), inside)
    marks = sorted(points, key=lambda p: (p.is_measured, p.origin != "random"))
    for point in marks:
        parts += _point(point, x, y, x_name, y_name)
    lines: list[Box] = []
    for members, origin in ((summary.random_front, "random"), (summary.front, "search")):
        corners = _stairs(members, x, y, x_name, y_name)
        parts += [_staircase(corners, origin)] if len(members) > 1 else []
        for (x0, y0), (x1, y1) in zip(corners, corners[1:], strict=False):
            lines.append((min(x0, x1) - 2, min(y0, y1) - 2, max(x0, x1) + 2, max(y0, y1) + 2))
    taken: list[Box] = lines + [_around(x(_value(p, x_name).value), y(_value(p, y_name).value), 4) for p in points]
    for model in [*baselines, *shipped]:
        at = x(_of(model, x_name).value), _of(model, y_name)  # type: ignore[union-attr]
        taken += [_around(at[0], y(at[1].value), 8), (at[0] - 2, y(at[1].high), at[0] + 2, y(at[1].low))]  # type: ignore[union-attr]
    for model in [*shipped, *baselines]:
        parts += _model(model, x, y, x_name, y_name, taken, inside)
    about = f"{y_name} against {x_name} of {len(points)} architectures"
    return _svg(width, height, about, parts)


def calibration_svg(pairs: Sequence[tuple[Quantity, Quantity]], name: str, side: int = 360) -> str:
    """Predicted (across) against measured later (up), with the line on which a perfect predictor lies."""
    values = [
        v for predicted, measured in pairs for v in (predicted.value, predicted.low, predicted.high, measured.value)
    ]
    x = axis(values, LEFT, side - RIGHT, 5)
    y = Axis(x.low, x.high, x.is_log, side - BOTTOM, 36.0, x.ticks)
    inside = (LEFT, 36.0, side - RIGHT, side - BOTTOM)
    parts = _grid(x, y, inside)
    parts.append(f'<text x="{LEFT - 40}" y="16" class="strong">measured {escape(title(name))}</text>')
    middle = (LEFT + side - RIGHT) / 2
    parts.append(f'<text x="{middle:.1f}" y="{side - 18}" text-anchor="middle" class="strong">predicted</text>')
    parts.append(f'<g class="base">{_line("thin", (x(x.low), y(x.low)), (x(x.high), y(x.high)))}</g>')
    for predicted, measured in pairs:
        across, up = x(predicted.value), y(measured.value)
        parts.append(f'<g class="search"><title>predicted {predicted.value:.3g}, measured {measured.value:.3g}</title>')
        parts.append(_bars(predicted, measured, x, y) + _dot("dot", across, up, 4.5) + "</g>")
    return _svg(side, side, f"predicted and measured {name}", parts)


def _svg(width: float, height: float, about: str, parts: Iterable[str]) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="lathe" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(about)}" style="max-width:100%;height:auto" width="{width:g}" height="{height:g}">'
        f'<style>{STYLE}</style><rect class="paper" width="{width:g}" height="{height:g}"/>\n{body}\n</svg>'
    )


def _empty(width: int, text: str) -> str:
    return _svg(
        width, 80, text, [f'<text class="soft" x="{width / 2:g}" y="44" text-anchor="middle">{escape(text)}</text>']
    )


def _frame(x: Axis, y: Axis, x_name: str, y_name: str, inside: Box, summary: Summary) -> list[str]:
    left, top, right, bottom = inside
    first = summary.objectives[0] if summary.objectives else None
    better = "higher" if first and first.direction == "max" else "lower"
    scale = [", log scale" if a.is_log else "" for a in (x, y)]
    return [
        *_grid(x, y, inside),
        f'<text x="{left - 44:g}" y="22" class="strong">{escape(_capital(title(y_name)))}'
        f'<tspan class="soft" font-weight="400">{scale[1]}; {better} is better</tspan></text>',
        f'<text x="{(left + right) / 2:g}" y="{bottom + 44:g}" text-anchor="middle" class="strong">'
        f'{escape(_capital(title(x_name)))}<tspan class="soft" font-weight="400">{scale[0]}; lower is better</tspan>'
        "</text>",
    ]


def _grid(x: Axis, y: Axis, inside: Box) -> list[str]:
    left, top, right, bottom = inside
    parts = [_line("grid", (left, y(tick)), (right, y(tick))) for tick in y.ticks]
    parts += [_line("grid", (x(tick), top), (x(tick), bottom)) for tick in x.ticks]
    parts.append(_line("frame", (left, bottom), (right, bottom)))
    parts += [f'<text class="soft" x="{left - 9:g}" y="{y(t) + 4:.1f}" text-anchor="end">{t:g}</text>' for t in y.ticks]
    parts += [
        f'<text class="soft" x="{x(t):.1f}" y="{bottom + 20:g}" text-anchor="middle">{t:g}</text>' for t in x.ticks
    ]
    return parts


def _legend(points: Sequence[Point], shipped: Sequence[Model], baselines: Sequence[Model]) -> list[str]:
    """Only what is there."""
    entries = []
    for origin, words in (("search", "search"), ("random", "random")):
        for is_measured, how in ((True, "measured"), (False, "predicted")):
            if any((p.origin == "random") == (origin == "random") and p.is_measured == is_measured for p in points):
                entries.append((origin, "dot" if is_measured else "hollow", f"{words}, {how}"))
    entries += [("ship", "diamond", "shipped")] * bool(shipped) + [("base", "square", "trained baseline")] * bool(
        baselines
    )
    parts, at = [], LEFT - 38
    for colour, shape, words in entries:
        mark = _shape(shape, at, 42) if shape in ("diamond", "square") else _dot(shape, at, 42, 4.5)
        parts.append(f'<g class="{colour}">{mark}</g><text class="soft" x="{at + 11:g}" y="46">{words}</text>')
        at += 34 + 6.4 * len(words)
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
    return [_line("limit", (at, top), (at, bottom)), label]


def _point(point: Point, x: Axis, y: Axis, x_name: str, y_name: str) -> list[str]:
    across, up = _value(point, x_name), _value(point, y_name)
    colour = "random" if point.origin == "random" else "search"
    faint = "" if point.on_front or not point.is_measured else " faint"
    values = f"{y_name} {up.value:.3g}, {x_name} {across.value:.3g} ({across.kind})"
    hint = f"trial {point.number}: {values}; {point.description}"
    bars = (
        _bars(across, up, x, y)
        if point.on_front
        else _line("bar", (x(across.low), y(up.value)), (x(across.high), y(up.value)))
    )
    shape = "dot" if point.is_measured else "hollow"
    mark = _dot(shape, x(across.value), y(up.value), 5.0 if point.on_front else 3.6)
    return [f'<g class="{colour}{faint}"><title>{escape(hint)}</title>{bars if point.is_measured else ""}{mark}</g>']


def _bars(across: Quantity, up: Quantity, x: Axis, y: Axis) -> str:
    level, upright = y(up.value), x(across.value)
    return _line("bar", (x(across.low), level), (x(across.high), level)) + _line(
        "bar", (upright, y(up.low)), (upright, y(up.high))
    )


def _stairs(members: Sequence[Point], x: Axis, y: Axis, x_name: str, y_name: str) -> list[tuple[float, float]]:
    """Corners of the line above and to the right of which a front dominates."""
    at = sorted((x(_value(p, x_name).value), y(_value(p, y_name).value)) for p in members)
    corners = at[:1]
    for px, py in at[1:]:
        corners += [(px, corners[-1][1]), (px, py)]
    return corners


def _staircase(corners: Sequence[tuple[float, float]], origin: str) -> str:
    path = "L".join(f"{px:.1f} {py:.1f}" for px, py in corners)
    return f'<g class="{origin}"><path class="{"line" if origin == "search" else "thin"}" d="M{path}"/></g>'


def _model(
    model: Model, x: Axis, y: Axis, x_name: str, y_name: str, taken: list[Box], inside: Box
) -> list[str]:  # fmt: skip
    across, up = _of(model, x_name), _of(model, y_name)
    assert across is not None and up is not None
    at = x(across.value), y(up.value)
    colour, shape = ("ship", "diamond") if model.is_shipped else ("base", "square")
    words = f"shipped: {model.name}, {model.precision}" if model.is_shipped else model.name
    label_x, label_y, anchor, box = place_label(words, *at, taken, inside)
    taken.append(box)
    hint = f"{words}: {y_name} {up.value:.3g}, {x_name} {across.value:.3g}; {model.description}"
    return [
        f'<g class="{colour}"><title>{escape(hint)}</title>{_bars(across, up, x, y)}{_shape(shape, *at)}'
        f'<text class="{colour} strong halo" x="{label_x:.1f}" y="{label_y:.1f}" text-anchor="{anchor}">'
        f"{escape(words)}</text></g>"
    ]


def _at(point: Point, name: str) -> Quantity | None:
    if name in ("params", "macs"):
        n = float(getattr(point, name))
        return Quantity(n, n, n, "exact")
    return point.values.get(name)


def _value(point: Point, name: str) -> Quantity:
    return _at(point, name) or point.values[name]


def _of(model: Model, name: str) -> Quantity | None:
    metric = name.partition("@")[0]
    if metric in ("params", "macs"):
        n = float(getattr(model, metric))
        return Quantity(n, n, n, "exact")
    return {"loss": model.loss, "accuracy": model.accuracy}.get(metric) or model.latencies.get(name)


def _line(kind: str, one: tuple[float, float], other: tuple[float, float]) -> str:
    return f'<line class="{kind}" x1="{one[0]:.1f}" y1="{one[1]:.1f}" x2="{other[0]:.1f}" y2="{other[1]:.1f}"/>'


def _dot(kind: str, x: float, y: float, radius: float) -> str:
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"/>'


def _shape(kind: str, x: float, y: float) -> str:
    if kind == "square":
        return f'<rect class="mark" x="{x - 5.5:.1f}" y="{y - 5.5:.1f}" width="11" height="11"/>'
    return f'<path class="mark" d="M{x:.1f} {y - 8:.1f}l8 8l-8 8l-8-8z"/>'


def _extent(values: Sequence[Quantity], with_bars: Sequence[Quantity | None]) -> list[float]:
    """What an axis must show: all values, and whole intervals where they are drawn (a log axis has no room below 0)."""
    bars = [edge for q in with_bars if q for edge in (q.value, q.low, q.high) if edge > 0 or q.value <= 0]
    return [q.value for q in values] + bars


def _around(x: float, y: float, radius: float) -> Box:
    return x - radius, y - radius, x + radius, y + radius


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
