"""What a study took, over all runs that worked on it. No I/O."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from search.state.recorded import Recorded
from search.watch import duration

FINISHED, STOPPED = "finished", "stopped"  # kinds of the events that end a run


def study_cost(recorded: Recorded) -> Mapping[str, Any] | None:
    """{"total", "seconds": {stage: s}, "peak_mb"}: sums over the runs that paused or failed and the one that ended the
    study, and the largest memory; None before its end. A run that was killed left no word."""
    ends = [event.data for event in recorded.events if event.kind in (FINISHED, STOPPED)]
    if not any(event.kind == FINISHED for event in recorded.events):
        return None
    seconds = Counter[str]()
    for data in ends:
        seconds.update(data.get("seconds") or {})
    rounded = {stage: round(value, 1) for stage, value in seconds.items()}
    peak_mb = max(data.get("peak_mb", 0.0) for data in ends)
    total = f"{duration(sum(rounded.values()))}, {peak_mb:.0f} MB"
    return {"total": total, "seconds": rounded, "peak_mb": peak_mb}
