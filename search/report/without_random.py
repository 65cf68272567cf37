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
    exports, calibration = _settings(recorded.study.config)
    return (
        f"Not judged against random networks: the search used up `search.exports` ({exports}), so none of them was "
        f"measured. Run it anew with more:  -o search.exports={max(exports, calibration) + ROOM} -o study=ANOTHER-NAME"
    )


def _settings(config: Mapping[str, Any]) -> tuple[int, int]:
    """The study's exports, and those that calibrate its devices, whatever `exports` says."""
    from search.config.study import Search  # loads torch, and is rarely asked for

    asked, devices = config.get("search", {}), config.get("devices") or ["here"]
    return asked.get("exports", Search.exports), asked.get("calibration", Search.calibration) * len(devices)
