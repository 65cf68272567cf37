"""How numbers are written for people: the same in the terminal, the report and the dashboard."""

from search.latency.precision import FLOAT
from search.report.summary import Quantity

USUAL_ENGINE = "onnxruntime"
METRICS = {
    "loss": ("validation loss", "nats"),
    "accuracy": ("validation accuracy", "share"),
    "latency_ms": ("latency", "ms"),
    "params": ("parameters", ""),
    "macs": ("multiply-accumulates", ""),
    "peak_bytes": ("peak memory", "B"),
    "size_bytes": ("file size", "B"),
}


def counted(n: float, word: str) -> str:
    """1 epoch, 2 epochs, 1,797 trials."""
    return f"{n:,.10g} {word}{'' if n == 1 else 's'}"


def title(objective: str) -> str:
    """The words for an objective's name: `latency_ms@here` is "latency on here (ms)"."""
    metric, _, device = objective.partition("@")
    words, unit = METRICS.get(metric, (metric, ""))
    return words + (f" on {device}" if device else "") + (f" ({unit})" if unit else "")


def percent(share: Quantity | None) -> str:
    """97.2 % [95.0, 98.5]; a dash for what is not known."""
    if share is None:
        return "–"
    interval = f" [{100 * share.low:.1f}, {100 * share.high:.1f}]" if share.has_interval else ""
    return f"{100 * share.value:.1f} %{interval}"


def latency(ms: Quantity | None) -> str:
    """0.0782 ms [0.077, 0.0798], with the word predicted or simulated where it is one, and any engine but the usual."""
    if ms is None:
        return "–"
    interval = f" [{ms.low:.3g}, {ms.high:.3g}]" if ms.has_interval else ""
    engine = f" in {ms.engine}" if ms.engine not in ("", USUAL_ENGINE) else ""
    return f"{ms.value:.3g} ms{interval}{engine}" + ("" if ms.kind in ("measured", "exact") else f" ({ms.kind})")


def number(quantity: Quantity | None) -> str:
    """Three digits, the interval where there is one."""
    if quantity is None:
        return "–"
    interval = f" [{quantity.low:.3g}, {quantity.high:.3g}]" if quantity.has_interval else ""
    return f"{quantity.value:.3g}{interval}" + (" (predicted)" if quantity.kind == "predicted" else "")


def told(objective: str, quantity: Quantity) -> str:
    """An objective with its value in its own unit: "validation accuracy 97.2 %", "multiply-accumulates 81.5 k"."""
    metric, _, device = objective.partition("@")
    name = METRICS.get(metric, (metric, ""))[0] + (f" on {device}" if device else "")
    if metric == "accuracy":
        return f"{name} {percent(quantity)}"
    if metric == "latency_ms":
        return f"{name} {latency(quantity)}"
    if metric.endswith("_bytes"):
        return f"{name} {size(quantity.value)}"
    return f"{name} {count(quantity.value) if metric in ('params', 'macs') else number(quantity)}"


def size(count_bytes: float | None) -> str:
    """62.0 kB, 1.20 MB; k = 1,000."""
    if count_bytes is None:
        return "–"
    for unit, scale in (("MB", 1e6), ("kB", 1e3)):
        if count_bytes >= scale:
            return f"{count_bytes / scale:.3g} {unit}"
    return f"{count_bytes:.0f} B"


def count(n: float) -> str:
    """1.2 M, 34.5 k, 812."""
    for unit, scale in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if n >= scale:
            return f"{n / scale:.3g} {unit}"
    return f"{n:.0f}"


def epochs(n: int) -> str:
    """How long a step trained; nothing where it does not train."""
    return counted(n, "epoch") if n else ""


def screened(precision: str) -> str:
    """By which files a study's trials were judged: "screened as int8 files"; nothing for float, which is usual."""
    return "" if precision == FLOAT else f"screened as {precision} files"


def capital(text: str) -> str:
    """The text with its first letter large."""
    return text[:1].upper() + text[1:]
