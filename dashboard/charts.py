"""Records in, Altair chart out: no reading, no state."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from search.report.axes import axis
from search.report.comparison import Model, rivals, value_of
from search.report.summary import Point, Quantity, Summary, value_at
from search.report.words import capital, latency, number, percent, title

COLOURS = {"search": "#2f8fd3", "random networks": "#e0812f", "shipped": "#1a9c76", "baseline": "#8a949e"}
SELECTED = "chosen"


def front_chart(summary: Summary, found: Sequence[Model] = (), height: int = 430) -> Any:
    """The first objective against the second: measured filled, predicted hollow, intervals as bars, fronts as steps.

    A click selects trials under the name `SELECTED`, by `trial`.
    """
    names = [objective.name for objective in summary.objectives]
    y_name, x_name = (names + ["params"])[:2]
    rows = [row for p in summary.points if (row := _point_row(p, x_name, y_name))]
    marks = [row for m in found if (row := _model_row(m, found, x_name, y_name))]
    x = _channel(alt.X, "x", x_name, [row["x"] for row in rows + marks] + _near(summary, x_name, rows))
    y = _channel(alt.Y, "y", y_name, [row["y"] for row in rows + marks])
    shown = [series for series in COLOURS if any(row["series"] == series for row in rows + marks)]
    colour = alt.Color(
        "series:N",
        scale=alt.Scale(domain=shown, range=[COLOURS[series] for series in shown]),
        legend=alt.Legend(title=None, orient="top", columns=2, symbolType="circle", symbolStrokeWidth=0),
    )
    chosen = alt.selection_point(name=SELECTED, fields=["trial"], on="click", empty=False)
    tip = [
        alt.Tooltip("trial:N"), alt.Tooltip("how:N"), alt.Tooltip("y text:N", title=y_name),
        alt.Tooltip("x text:N", title=x_name), alt.Tooltip("accuracy:N"), alt.Tooltip("network:N"),
    ]  # fmt: skip
    bars = alt.Chart(alt.Data(values=[row for row in rows if row["on front"]] + marks)).mark_rule(opacity=0.5)
    layers = [
        *_fronts(summary, x_name, y_name, x, y, colour),
        bars.encode(x=alt.X("low:Q"), x2="high:Q", y=y, color=colour),
        bars.encode(x=x, y=alt.Y("bottom:Q"), y2="top:Q", color=colour),
        _dots([row for row in rows if row["how"] != "measured"], False).encode(x=x, y=y, color=colour, tooltip=tip),
        _dots([row for row in rows if row["how"] == "measured"], True)
        .encode(
            x=x,
            y=y,
            color=colour,
            tooltip=tip,
            size=alt.condition("datum['on front']", alt.value(110), alt.value(45)),
            opacity=alt.condition("datum['on front']", alt.value(1), alt.value(0.45)),
        )
        .add_params(chosen),
        _models(marks).encode(x=x, y=y, color=colour, tooltip=tip),
        *_limit(summary, x_name, rows),
    ]
    return alt.layer(*layers).properties(height=height)


def loss_chart(epochs: Sequence[tuple[float, float]], height: int = 180) -> Any:
    """Training loss of the supernet by epoch."""
    rows = [{"epoch": epoch, "loss": loss} for epoch, loss in epochs]
    return (
        alt.Chart(alt.Data(values=rows))
        .mark_line(point=True, color=COLOURS["search"])
        .encode(x=alt.X("epoch:Q", title="Epoch"), y=alt.Y("loss:Q", title="Supernet loss"))
        .properties(height=height)
    )


def calibration_chart(pairs: Sequence[tuple[Quantity, Quantity]], name: str, height: int = 340) -> Any:
    """Predicted against measured afterwards, with the line on which a perfect predictor lies."""
    rows = [
        {"x": p.value, "low": p.low, "high": p.high, "y": m.value, "bottom": m.low, "top": m.high}
        | {"predicted": latency(p), "measured": latency(m)}
        for p, m in pairs
    ]
    values = [v for p, m in pairs for v in (p.value, p.low, p.high, m.value)]
    x, y = (_channel(channel, at, name, values) for channel, at in ((alt.X, "x"), (alt.Y, "y")))
    data = alt.Chart(alt.Data(values=rows))
    ends = alt.Chart(alt.Data(values=[{"x": v, "y": v} for v in (min(values), max(values))]))
    layers = [
        ends.mark_line(color="gray", strokeDash=[2, 4]).encode(x=x, y=y),
        data.mark_rule(opacity=0.5, color=COLOURS["search"]).encode(x=alt.X("low:Q"), x2="high:Q", y=y),
        data.mark_rule(opacity=0.5, color=COLOURS["search"]).encode(x=x, y=alt.Y("bottom:Q"), y2="top:Q"),
        data.mark_circle(size=60, color=COLOURS["search"], opacity=0.9).encode(
            x=x.title("predicted"), y=y.title(f"measured {title(name)}"), tooltip=["predicted:N", "measured:N"]
        ),
    ]
    return alt.layer(*layers).properties(height=height)


def _dots(rows: Sequence[dict[str, Any]], filled: bool) -> Any:
    chart = alt.Chart(alt.Data(values=list(rows)))
    return chart.mark_circle() if filled else chart.mark_point(filled=False, size=42, opacity=0.65, strokeWidth=1.3)


def _models(marks: Sequence[dict[str, Any]]) -> Any:
    shape = alt.condition("datum.series == 'shipped'", alt.value("diamond"), alt.value("square"))
    return alt.Chart(alt.Data(values=list(marks))).mark_point(filled=True, size=170, opacity=1).encode(shape=shape)


def _fronts(summary: Summary, x_name: str, y_name: str, x: Any, y: Any, colour: Any) -> list[Any]:
    """A line of steps through each front: what it dominates lies above and to the right of it."""
    found = []
    for series, members, dash in (("random networks", summary.random_front, [3, 4]), ("search", summary.front, [1, 0])):
        rows = [row for p in members if (row := _point_row(p, x_name, y_name))]
        if len(rows) > 1:
            line = alt.Chart(alt.Data(values=[row | {"series": series} for row in rows]))
            mark = line.mark_line(interpolate="step-after", strokeDash=dash, strokeWidth=1.8, opacity=0.9)
            found.append(mark.encode(x=x, y=y, color=colour, order=alt.Order("x:Q")))
    return found


def _limit(summary: Summary, x_name: str, rows: Sequence[dict[str, Any]]) -> list[Any]:
    """The limit as a line, unless it would squeeze everything else."""
    for limit in _near(summary, x_name, rows):
        data = alt.Chart(alt.Data(values=[{"x": limit, "text": f"limit {limit:g}"}])).encode(x="x:Q")
        label = data.mark_text(align="right", dx=-6, color="gray").encode(text="text:N", y=alt.value(10))
        return [data.mark_rule(strokeDash=[7, 4], color="gray"), label]
    return []


def _near(summary: Summary, x_name: str, rows: Sequence[dict[str, Any]]) -> list[float]:
    limit = summary.limits.get(x_name)
    return [limit] if limit is not None and rows and limit <= 1.5 * max(row["x"] for row in rows) else []


def _point_row(point: Point, x_name: str, y_name: str) -> dict[str, Any] | None:
    x, y = (value_at(point, name) for name in (x_name, y_name))
    if x is None or y is None:
        return None
    series = "random networks" if point.origin == "random" else "search"
    how = "measured" if point.is_measured else "predicted"
    said = {"trial": point.number, "how": how, "network": point.description}
    return _row(x, y, series, x_name) | said | {"accuracy": percent(point.accuracy), "on front": point.on_front}


def _model_row(model: Model, found: Sequence[Model], x_name: str, y_name: str) -> dict[str, Any] | None:
    if not model.is_shipped and model not in rivals(found):
        return None
    x, y = value_of(model, x_name), value_of(model, y_name)
    if x is None or y is None:
        return None
    said = {"trial": model.name, "how": f"{model.step}, {model.precision}", "network": model.description}
    series = "shipped" if model.is_shipped else "baseline"
    return _row(x, y, series, x_name) | said | {"accuracy": percent(model.accuracy), "on front": True}


def _row(x: Quantity, y: Quantity, series: str, x_name: str) -> dict[str, Any]:
    return {
        "x": x.value, "low": x.low, "high": x.high, "y": y.value, "bottom": max(y.low, y.value / 4), "top": y.high,
        "series": series, "x text": latency(x) if x_name.startswith("latency") else number(x), "y text": number(y),
    }  # fmt: skip


def _channel(channel: Any, field: str, name: str, values: Sequence[float]) -> Any:
    """An axis with the report's choice of scale and round ticks."""
    found = axis(values, 0.0, 1.0)
    scale = alt.Scale(type="log" if found.is_log else "linear", zero=False, nice=False, padding=18)
    ticks = alt.Axis(values=list(found.ticks), format=".9~g")  # without digits Vega rounds 1.55 and 1.65 to 1.6
    return channel(f"{field}:Q", title=capital(title(name)), scale=scale, axis=ticks)
