"""What a study of a table of networks cannot have, and whether table and space speak of the same decisions."""

from collections.abc import Mapping
from typing import Any

from search.config.fields import Reading, suggestion
from search.errors import ConfigError
from search.suggest import decisions
from spaces.space import SearchSpace
from spaces.tasks import Scores


def check_table(reading: Reading, tree: Mapping[str, Any]) -> None:
    """Note what would never be done: nothing is trained, and a table tells accuracies only."""
    rule = "the networks of a table were trained by others"
    if "supernet" in tree:
        reading.wrong(("supernet",), f"{rule}: there is no supernet", "remove the section", at_key=True)
    if "compress" in tree:
        reading.wrong(("compress",), f"{rule}, and their weights are not in it", "remove the section", at_key=True)
    objectives = tree.get("objectives")
    if isinstance(objectives, dict) and "loss" in objectives:
        reading.wrong(("objectives", "loss"), "a table tells accuracies only", "write accuracy: max", at_key=True)


def check_columns(scores: Scores, space: SearchSpace) -> None:
    """Raises ConfigError unless the table has a column for every decision with a choice, and for no other."""
    known = decisions(space)
    for name in scores.names:
        if name not in known:
            raise ConfigError(
                f"error: `task.columns` names {name!r}, which the space does not decide; "
                f"{suggestion(name, list(known))}"
            )
    missing = [name for name in known if name not in scores.names]
    if missing:
        raise ConfigError(
            f"error: the space decides {missing[0]!r}, and `task.columns` names no column for it. Name the column, or "
            "leave one option in the space."
        )
