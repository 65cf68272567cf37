"""A study speaks of its devices under its own names, whoever used them first."""

from pathlib import Path

from search.config.study import read_config
from search.main_loop import launch
from search.report.comparison import models
from search.report.summary import summarise
from search.state.ledger import Ledger
from search.state.recorded import load_study
from tests.search.finished_study import TINY

SHORT = ("supernet.epochs=1", "search.trials=8", "limits={}", "compress={keep: 1, alone_epochs: 0, steps: []}")


def test_latencies_of_a_device_that_another_study_named_are_those_of_the_device_that_judges(tmp_path: Path) -> None:
    """With one device alone there is no doubt; of two, the judging one's had been taken for a third one's."""
    db = str(tmp_path / "lathe.db")
    first = ("study=first", "devices={cpu: {kind: simulated}}", "objectives={loss: min, latency_ms@cpu: min}")
    devices = "devices={here: {kind: simulated}, other: {kind: simulated, node_us: 9}}"
    second = ("study=second", devices, "objectives={loss: min, latency_ms@here: min, latency_ms@other: min}")
    for settings in (first, second):
        with Ledger.open(db) as ledger:
            launch(read_config(TINY, [*SHORT, *settings]), ledger)
    recorded = load_study("second", db)
    assert {tuple(m.latencies) for m in models(recorded) if m.file} == {("latency_ms@here", "latency_ms@other")}
    assert all(m.latency == m.latencies["latency_ms@here"] for m in models(recorded) if m.file)
    assert {device.name for device in recorded.devices} == {"here", "other"}
    assert set(summarise(recorded).predictions) <= {"latency_ms@here", "latency_ms@other"}
