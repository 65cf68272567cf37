"""Which of a study's files to take where a call may last so long: the most accurate one that is fast enough."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from search.config.fields import IN_MS
from search.errors import Infeasible, NotFound, UsageError
from search.report import words
from search.report.comparison import Model


@dataclass(frozen=True)
class Budget:
    """A latency that must not be exceeded. device: the user's name of it; "": the one that judges."""

    latency_ms: float
    device: str = ""


def read_budget(text: str) -> Budget:
    """`0.05ms`, `50us`, `0.05` or `0.05ms@pi`. Raises: UsageError."""
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*(ms|us|µs|s|)\s*(?:@(\S+))?\s*", text)
    if match is None or float(match.group(1)) <= 0:
        raise UsageError(f"--budget is a latency such as 0.05ms, 50us or 0.05ms@DEVICE, got {text!r}.")
    return Budget(float(match.group(1)) * IN_MS[match.group(2)], match.group(3) or "")


def best_within(found: Sequence[Model], budget: Budget) -> Model:
    """Of the developed networks the most accurate whose latency keeps the budget with the upper end of its interval; of
    equally accurate ones the fastest. Raises: NotFound: a device that measured none. Infeasible: none is so fast."""
    own = [m for m in found if m.role == "winner" or m.is_shipped]
    able = [m for m in own if m.file and m.verdict != "rejected" and "look" not in m.config]
    names = list(dict.fromkeys(name for model in able for name in model.latencies))
    name = f"latency_ms@{budget.device}" if budget.device else next(iter(names), "")
    if name not in names:
        known = ", ".join(each.partition("@")[2] for each in names) or "none"
        raise NotFound(f"no network of this study was measured on {budget.device or 'a device'!r}. Devices: {known}.")
    latencies = {model.id: model.latencies[name] for model in able if name in model.latencies}
    fits = [model for model in able if model.id in latencies and latencies[model.id].high <= budget.latency_ms]
    if not fits:
        fastest = min(latencies.values(), key=lambda latency: latency.high)
        raise Infeasible(
            f"no network keeps {budget.latency_ms:g} ms on {name.partition('@')[2]} with the upper end of "
            f"its interval: the fastest takes {words.latency(fastest)}. Raise --budget."
        )
    return max(fits, key=lambda m: (m.accuracy.value if m.accuracy else 0.0, -latencies[m.id].value))
