"""What `search stitch` was asked to do, as the study that it makes records it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from search.config.recipe import is_recipe
from search.config.study import StudyConfig, config_of
from search.errors import UsageError
from search.state.records import StudyRecord

SECTION = "stitch"  # of the recorded config


@dataclass(frozen=True)
class Stitching:
    """of: the study whose networks are stitched. small, large: the ids of the two variants. keep: how many networks of
    the front become files. epochs, lr: of the training together."""

    of: str
    small: int
    large: int
    keep: int = 6
    epochs: int = 8
    lr: float = 0.03

    def __post_init__(self) -> None:
        for name in ("keep", "epochs", "lr"):
            if getattr(self, name) <= 0:
                raise UsageError(f"`{name}` must be positive, got {getattr(self, name)}.")


@dataclass(frozen=True)
class StitchConfig:
    """The settings, and the config of the study in which the stitched networks are recorded: that of the networks'
    own study, with accuracy and the latencies as objectives."""

    stitching: Stitching
    base: StudyConfig

    @property
    def study(self) -> str:
        """Its name."""
        return self.base.study

    @property
    def tree(self) -> dict[str, Any]:
        """What the ledger stores."""
        return self.base.tree


def checked_for_stitching(record: StudyRecord) -> StudyConfig:
    """The config of a study whose networks may be stitched. Raises: UsageError: if it is of another kind."""
    if is_recipe(record.config):
        raise UsageError(f"study {record.name!r} compressed one network. Stitch two of a study of `search launch`.")
    if is_stitched(record.config):
        of = record.config[SECTION]["of"]
        raise UsageError(f"study {record.name!r} is stitched already, of networks of {of!r}. Name that one.")
    return config_of(dict(record.config), record.name)


def is_stitched(tree: Mapping[str, Any]) -> bool:
    """Whether a recorded config is of `search stitch`."""
    return SECTION in tree


def stitch_config(tree: Mapping[str, Any], name: str, stitching: Stitching) -> StitchConfig:
    """From the recorded config of the networks' study. Raises: ConfigError: if something of it is no longer here."""
    own = {key: value for key, value in tree.items() if key != SECTION}
    if "search" in own:  # what it ships is float, and measured so
        own["search"] = {key: value for key, value in own["search"].items() if key != "screen"}
    base = config_of(own, stitching.of)
    devices = [o.name for o in base.objectives if o.device] or [f"latency_ms@{next(iter(base.devices))}"]
    own |= {"study": name, "objectives": {"accuracy": "max", **dict.fromkeys(devices, "min")}}
    base = config_of(own, name)
    return StitchConfig(stitching, replace(base, tree={**base.tree, SECTION: asdict(stitching)}))


def stitched_config_of(tree: Mapping[str, Any], name: str) -> StitchConfig:
    """The config of a recorded stitched study."""
    return stitch_config(tree, name, Stitching(**tree[SECTION]))
