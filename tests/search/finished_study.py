"""A whole small study through the real launch, for the tests that look at what it found."""

from dataclasses import dataclass
from pathlib import Path

from search.config.study import StudyConfig, read_config
from search.main_loop import launch
from search.state.ledger import Ledger

TINY = Path(__file__).with_name("tiny.yaml")
OVERRIDES = ("compress.max_drop=50", "search.images=64")  # so that int8 passes; and fewer images judge a trial


@dataclass(frozen=True)
class Finished:
    """A study that ran to its end. Its database is shared: read it, and change nothing in it."""

    config: StudyConfig
    db: str


def run_to_the_end(db: str) -> Finished:
    """tiny.yaml from the space to the files; about 15 s."""
    config = read_config(TINY, OVERRIDES)
    with Ledger.open(db) as ledger:
        launch(config, ledger)
    return Finished(config, db)
