"""Why a study has no random networks to be judged against, and what to do about it. No I/O."""

from collections.abc import Mapping
from typing import Any

from search.report.summary import Summary
from search.state.recorded import Recorded

ROOM = 8  # exports beyond what the search measures: a third of what is left measures random networks


def without_random(recorded: Recorded, summary: Summary) -> str:
    """One sentence where a study is done and no random network is on a measured front; else nothing."""
    random = [point for point in summary.points if point.origin == "random"]
    if recorded.study.state != "done" or not random or summary.random_front:
        return ""
    measured = sum(point.is_measured for point in random)
    if measured:
        return (
            f"Not judged against random networks: none of the {measured} of them that were measured keeps every limit."
        )
    settings = recorded.study.config.get("search", {})
    spent = f"`search.exports` ({settings['exports']})" if "exports" in settings else "`search.exports`"
    return (
        f"Not judged against random networks: the search used up {spent}, so none of them was measured. "
        f"Run it anew with more:  -o search.exports={_enough(recorded.study.config)} -o study=ANOTHER-NAME"
    )


def _enough(config: Mapping[str, Any]) -> int:
    """Exports with room for random networks: each device is calibrated, whatever `exports` says."""
    settings = {"calibration": 20, "exports": 40} | dict(config.get("search", {}))
    return max(settings["exports"], settings["calibration"] * len(config.get("devices", {}))) + ROOM
