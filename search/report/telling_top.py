"""The best trials for a terminal: numbers as people read them, the architecture on lines of its own."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from search.report import words

INDENT = 7
HEADS = {"trial": "trial", "loss": "loss (nats)", "accuracy": "accuracy (%)", "params": "parameters", "macs": "MACs"}


def top_text(rows: Sequence[Mapping[str, Any]], width: int) -> str:
    """rows: as `telling.top_rows` makes them, one at least. width: of the terminal, in columns."""
    names = [name for name in rows[0] if name != "architecture" and not name.endswith(" is")]
    heads = [_head(name) for name in names]
    cells = [[_cell(name, row) for name in names] for row in rows]
    wide = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    lines = [_line(heads, wide)]
    for row, line in zip(rows, cells, strict=True):
        lines.append(_line(line, wide))
        lines += textwrap.wrap(row["architecture"], max(width, 40), initial_indent=" " * INDENT,
                               subsequent_indent=" " * (INDENT + 2))  # fmt: skip
    return "\n".join(lines)


def _line(cells: Sequence[str], wide: Sequence[int]) -> str:
    return "  ".join(cell.rjust(n) for cell, n in zip(cells, wide, strict=True)).rstrip()


def _head(name: str) -> str:
    metric, at, device = name.partition("@")
    if metric == "latency_ms":
        return f"latency{at}{device} (ms)"
    return HEADS.get(name, name)


def _cell(name: str, row: Mapping[str, Any]) -> str:
    value = row[name]
    if value is None:
        return "–"
    if name == "accuracy":
        return f"{100 * value:.1f}"
    if name in ("params", "macs"):
        return words.count(value)
    if name.endswith("_bytes"):
        return words.size(value)
    text = f"{value:.3g}" if isinstance(value, float) else str(value)
    return f"{text} {row[f'{name} is']}" if f"{name} is" in row else text
