"""A resumed study has measured what it had measured: it counts the same files, and its fronts stay."""

import random
from pathlib import Path

import pytest

from compress.devices import DeviceOffline
from compress.devices.simulated import Simulated
from search.config.study import read_config
from search.main_loop import launch, trained_supernet, try_networks, worth_of
from search.state.check import check
from search.state.ledger import Ledger
from search.study import Study, open_study
from search.watch import Watch
from spaces.space import sample
from tests.search.finished_study import TINY

SHORT = ("supernet.epochs=1", "compress={keep: 1, alone_epochs: 0, steps: []}", "limits={}")


def test_a_resumed_study_counts_the_measurements_of_every_device(tmp_path: Path) -> None:
    devices = "devices={one: {kind: simulated}, two: {kind: simulated, node_us: 9}}"
    objectives = "objectives={loss: min, latency_ms@one: min, latency_ms@two: min}"
    config = read_config(TINY, [*SHORT, devices, objectives, "search.exports=30", "search.trials=9"])

    def opened(ledger: Ledger) -> Study:
        return open_study(config, ledger, Watch(quiet=True))

    with Ledger.open(str(tmp_path / "lathe.db")) as ledger:
        study = opened(ledger)
        try_networks(study, worth_of(study, trained_supernet(study)))
        assert study.exports >= 2 * config.search.calibration
        assert opened(ledger).exports == study.exports


def test_a_study_that_is_resumed_among_its_winners_measures_its_fronts_no_further(tmp_path: Path) -> None:
    """The allowance was used up. At each start there had been two more, which could change who is developed."""
    config = read_config(TINY, [*SHORT, "search.trials=30", "search.exports=9", "search.sampler=random"])
    with Ledger.open(str(tmp_path / "lathe.db")) as ledger:
        study = launch(config, ledger)
        measured = len(ledger.measurements(study_id=study.id))
        ledger.set_state(study.id, "paused")
        launch(config, ledger)
        assert len(ledger.measurements(study_id=study.id)) == measured


def test_a_study_that_cannot_begin_because_its_device_is_away_is_paused_and_not_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: Simulated) -> dict[str, str]:
        raise DeviceOffline("it is gone.")

    monkeypatch.setattr(Simulated, "fingerprint", away)
    with Ledger.open(str(tmp_path / "lathe.db")) as ledger:
        with pytest.raises(DeviceOffline):
            open_study(read_config(TINY), ledger, Watch(quiet=True))
        assert ledger.study("tiny").state == "paused"
    assert check(ledger.url) == []


def test_a_study_is_resumed_while_its_device_is_away_with_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, watch = read_config(TINY, SHORT), Watch(quiet=True)

    def away(_: Simulated) -> dict[str, str]:
        raise DeviceOffline("it is gone.")

    with Ledger.open(str(tmp_path / "lathe.db")) as ledger:
        before = open_study(config, ledger, watch)
        try_networks(before, worth_of(before, trained_supernet(before)))
        monkeypatch.setattr(Simulated, "fingerprint", away)
        study = open_study(config, ledger, watch)
        assert study.measured == before.measured and study.measured
        told = study.latency(sample(study.space, random.Random(0)), "formula")
        assert told is not None and told[3] == "predicted"
        assert len(ledger.event_data(study.id, "offline")) == 1
