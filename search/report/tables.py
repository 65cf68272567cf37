"""The report's tables: the chains of the winners, and of the baselines."""

from collections.abc import Iterable, Mapping
from html import escape

from search.report import words
from search.report.comparison import Model

HEADS = ("step", "validation accuracy", "loss (nats)", "latency", "file", "parameters", "verdict")


def steps_table(chains: Mapping[int, tuple[Model, ...]]) -> str:
    """One group of rows a winner, one row a step that was tried."""
    rows = [row for steps in chains.values() for row in (_group(steps[0]), *map(_row, steps))]
    return _table(HEADS, rows)


def baselines_table(chains: Mapping[int, tuple[Model, ...]]) -> str:
    """The same for the baselines."""
    if not chains:
        return '<p class="empty">No baseline has been trained yet.</p>'
    return steps_table(chains)


def _table(heads: Iterable[str], rows: Iterable[str]) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _group(first: Model) -> str:
    return (
        f'<tr class="head"><td colspan="{len(HEADS)}">{escape(first.name[:1].upper() + first.name[1:])}'
        f"<small>{escape(first.description)}</small></td></tr>"
    )


def _row(model: Model) -> str:
    shipped = " shipped" if model.is_shipped else ""
    tested = f"<small>test {escape(words.percent(model.test_accuracy))}</small>" if model.test_accuracy else ""
    latency = "".join(f"<div>{_value(words.latency(value))}</div>" for value in model.latencies.values()) or "–"
    verdict = "shipped" if model.is_shipped else model.verdict
    reason = f"<small>{escape(model.reason)}</small>" if model.reason else ""
    made = ", ".join(filter(None, (model.precision, words.epochs(model.epochs))))
    cells = [
        f"{escape(model.step)}<small>{escape(made)}</small>",
        _value(words.percent(model.accuracy)) + tested,
        _value(words.number(model.loss)),
        latency,
        escape(words.size(model.size_bytes)),
        escape(words.count(model.params)),
    ]
    body = "".join(f'<td class="n">{cell}</td>' for cell in cells)
    last = f'<td class="verdict"><b class="{model.verdict}">{escape(verdict)}</b>{reason}</td>'
    return f'<tr class="{model.verdict}{shipped}">{body}{last}</tr>'


def _value(text: str) -> str:
    """The interval of a number under it."""
    value, bracket, interval = text.partition(" [")
    return escape(value) + (f"<small>[{escape(interval)}</small>" if bracket else "")
