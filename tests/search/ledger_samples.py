"""Records that the tests of the study database write."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, text

from compress.measurement import Measurement
from search.state.database import connect
from search.state.home import Home
from search.state.ledger import Ledger
from search.state.records import ArchitectureRecord, Evaluation, StudyRecord, TrialRecord, VariantRecord, digest

CONFIG = {"space": {"stages": [{"width": [8, 16]}, {"width": [32, 64]}]}, "search": {"trials": 12}}
DATA = "d" * 64
HERE = "f" * 64
LOSS = Evaluation("validation", "loss", 0.5, 0.4, 0.6, 269, "supernet")


def make_database(url: str) -> None:
    """One without a row."""
    home = Home(url, create=True)
    home.to_write()
    home.close()


def architecture(number: int) -> ArchitectureRecord:
    return ArchitectureRecord(digest("architecture", number), f'{{"width":{number}}}', 1000 + number, 5000, 64)


def latency(artifact: str, value: float = 0.2) -> Measurement:
    samples = b"\x00\x00\x80\x3f" * 3
    return Measurement(
        "latency_ms",
        value,
        "ms",
        value - 0.1,
        value + 0.1,
        "measured",
        3,
        "here",
        HERE,
        artifact,
        samples,
        {"p50": value},
    )


def trial(number: int, of: int | None = None) -> TrialRecord:
    made = architecture(number if of is None else of)
    return TrialRecord(
        number=number,
        architecture_id=made.id,
        params={"stage0.width": 8, "stage0.block": "mbconv"},
        system_attrs={"nsga2:generation": number // 4, "nsga2:parents": [number]},
        values={"loss": 0.5, "latency_ms@here": 0.2},
        kinds={"loss": "exact", "latency_ms@here": "measured"},
        architecture=made,
        evaluations=(LOSS,),
        measurements=(latency(digest("file", number)),),
    )


def variant(number: int = 0, **changes: object) -> VariantRecord:
    made = architecture(number)
    values: dict = {
        "architecture_id": made.id,
        "role": "winner",
        "step": "train",
        "config": {"epochs": 10},
        "precision": "float32",
        "verdict": "start",
        "architecture": made,
    }
    return VariantRecord(**{**values, **changes})


@contextmanager
def engine_on(url: str, read_only: bool = False) -> Iterator[Engine]:
    engine = connect(url, read_only=read_only)
    try:
        yield engine
    finally:
        engine.dispose()


def ask(url: str, query: str, **values: Any) -> list[tuple]:
    """The rows of a query, read beside whoever is writing."""
    with engine_on(url, read_only=True) as engine, engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query), values)]


def begin(ledger: Ledger, name: str = "digits") -> StudyRecord:
    return ledger.open_study(name, CONFIG, DATA, {"torch": "2.13.0"}, seed=7)


def count(ledger: Ledger, table: str) -> int:
    return ask(ledger.url, f"SELECT count(*) FROM lathe_{table}")[0][0]
