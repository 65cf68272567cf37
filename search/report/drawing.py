"""What the report's charts are drawn with: text in SVG. Colours follow the reader's light or dark scheme."""

from collections.abc import Iterable
from html import escape

from search.report.axes import Axis, Box
from search.report.summary import Quantity
from search.report.words import capital, title

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


def svg(width: float, height: float, about: str, parts: Iterable[str]) -> str:
    """One self-contained <svg>; `about` is what a screen reader says."""
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="lathe" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(about)}" style="max-width:100%;height:auto" width="{width:g}" height="{height:g}">'
        f'<style>{STYLE}</style><rect class="paper" width="{width:g}" height="{height:g}"/>\n{body}\n</svg>'
    )


def titled_grid(x: Axis, y: Axis, x_name: str, y_name: str, better: str, inside: Box) -> list[str]:
    """The grid with the names of both objectives; `better`: "lower" or "higher", of the one upwards."""
    left, top, right, bottom = inside
    scale = [", log scale" if a.is_log else "" for a in (x, y)]
    return [
        *grid(x, y, inside),
        f'<text x="{left - 44:g}" y="22" class="strong">{escape(capital(title(y_name)))}'
        f'<tspan class="soft" font-weight="400">{scale[1]}; {better} is better</tspan></text>',
        f'<text x="{(left + right) / 2:g}" y="{bottom + 44:g}" text-anchor="middle" class="strong">'
        f'{escape(capital(title(x_name)))}<tspan class="soft" font-weight="400">{scale[0]}; lower is better</tspan>'
        "</text>",
    ]


def grid(x: Axis, y: Axis, inside: Box) -> list[str]:
    """Lines and numbers at the ticks of both axes."""
    left, top, right, bottom = inside
    parts = [line("grid", (left, y(tick)), (right, y(tick))) for tick in y.ticks]
    parts += [line("grid", (x(tick), top), (x(tick), bottom)) for tick in x.ticks]
    parts.append(line("frame", (left, bottom), (right, bottom)))
    parts += [f'<text class="soft" x="{left - 9:g}" y="{y(t) + 4:.1f}" text-anchor="end">{t:g}</text>' for t in y.ticks]
    parts += [
        f'<text class="soft" x="{x(t):.1f}" y="{bottom + 20:g}" text-anchor="middle">{t:g}</text>' for t in x.ticks
    ]
    return parts


def bars(across: Quantity, up: Quantity, x: Axis, y: Axis) -> str:
    """Both intervals of a mark, as a cross."""
    level, upright = y(up.value), x(across.value)
    return line("bar", (x(across.low), level), (x(across.high), level)) + line(
        "bar", (upright, y(up.low)), (upright, y(up.high))
    )


def line(kind: str, one: tuple[float, float], other: tuple[float, float]) -> str:
    """A straight line in the style `kind`, from one pixel to another."""
    return f'<line class="{kind}" x1="{one[0]:.1f}" y1="{one[1]:.1f}" x2="{other[0]:.1f}" y2="{other[1]:.1f}"/>'


def stairs(marks: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Corners of the line beyond which the front of these marks dominates; less is better across."""
    at = sorted(marks)
    corners = at[:1]
    for px, py in at[1:]:
        corners += [(px, corners[-1][1]), (px, py)]
    return corners


def path(kind: str, corners: Iterable[tuple[float, float]]) -> str:
    """A line in the style `kind` through all corners."""
    return f'<path class="{kind}" d="M{"L".join(f"{px:.1f} {py:.1f}" for px, py in corners)}"/>'


def dot(kind: str, x: float, y: float, radius: float) -> str:
    """A circle in the style `kind`."""
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"/>'


def shape(kind: str, x: float, y: float) -> str:
    """A mark that is no circle: "square" or "diamond"."""
    if kind == "square":
        return f'<rect class="mark" x="{x - 5.5:.1f}" y="{y - 5.5:.1f}" width="11" height="11"/>'
    return f'<path class="mark" d="M{x:.1f} {y - 8:.1f}l8 8l-8 8l-8-8z"/>'
