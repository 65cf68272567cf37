"""What taking a network through a recipe needs: a study has it, and `search compress` on a model of the user's."""

from pathlib import Path
from typing import Any, Protocol

from torch import nn

from search.config.study import Compress
from search.state.ledger import Ledger
from search.state.records import StudyRecord, VariantRecord
from search.watch import Watch
from spaces.tasks import Data


class Settings(Protocol):
    """The part of a config that speaks of compression."""

    @property
    def limits(self) -> dict[str, float]:
        """By name, such as params or latency_ms@here."""
        ...

    @property
    def devices(self) -> dict[str, Any]:
        """By the user's name."""
        ...

    @property
    def compress(self) -> Compress:
        """The budget."""
        ...


class Workplace(Protocol):
    """An open study row with what is worked with: data, ledger, scratch folder, who watches. `graphs`: exported graphs
    by architecture. `seconds`: how long each stage took. `away`: devices that did not answer, and when to ask again."""

    record: StudyRecord
    ledger: Ledger
    data: Data
    watch: Watch
    folder: Path
    graphs: dict[str, Any]
    seconds: dict[str, float]
    away: dict[str, float]

    @property
    def config(self) -> Settings: ...

    @property
    def id(self) -> int:
        """The study's row."""
        ...

    @property
    def seed(self) -> int: ...

    @property
    def devices(self) -> list[str]:
        """Names; the first one judges."""
        ...

    def network_of(self, record: VariantRecord) -> nn.Module:
        """A recorded variant's network with its weights."""
        ...

    def event(self, kind: str, message: str, data: Any = None, level: Any = "info") -> None:
        """A row of what happened."""
        ...
