"""Kolmogorov-Arnold networks and the twins they have to beat: as fast, trained alike, told once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from search.config.study import read_config
from search.report.twins import twin_sentences
from search.state.database import connect
from search.state.ledger import Ledger
from search.state.recorded import read_recorded
from search.state.records import TrialRecord
from search.study import Study, architecture_record, open_study
from search.twins import SCALES, equal_twin, has_twin, race_twins, twin_of
from search.watch import Watch
from spaces.architecture import Architecture, Stage
from spaces.blocks import BLOCKS
from spaces.blocks.block import HasTwin
from spaces.blocks.convnext import ConvNeXt
from spaces.blocks.kan import KAN
from spaces.blocks.mbconv import MBConv
from tests.search.finished_study import TINY

MIXED = Architecture((1, 8, 8), 10, 8, 1, (Stage(16, 2, (MBConv(),)), Stage(16, 2, (KAN(ratio=1),))))
PLAIN = Architecture((1, 8, 8), 10, 8, 1, (Stage(16, 2, (MBConv(),)),))


@pytest.fixture
def study(ledger: Ledger) -> Iterator[Study]:
    yield open_study(read_config(TINY), ledger, Watch(quiet=True))


def trial(number: int, arch: Architecture) -> TrialRecord:
    row = architecture_record(arch)
    return TrialRecord(number, arch.id, {}, {}, {"loss": 1.0}, {"loss": "measured"}, "done", architecture=row)


def test_only_kolmogorov_arnold_blocks_have_twins_and_their_twins_have_none() -> None:
    made = {name: make() for name, make in BLOCKS.items() if hasattr(make, "twin")}
    assert set(made) == {"bottleneck_kan", "kan", "mlpkan", "polynomial", "skan", "splinekan"}
    for block in made.values():
        assert isinstance(block, HasTwin)
        assert not isinstance(block.twin(1), HasTwin)
        block.twin(2).build(16)


def test_the_other_blocks_of_a_network_stay() -> None:
    twin = twin_of(MIXED, 2)
    assert twin.stages[0] == MIXED.stages[0]
    assert twin.stages[1].blocks == (ConvNeXt(3, 2, act="silu"),)
    assert has_twin(MIXED) and not has_twin(twin)


def test_the_twin_is_the_slowest_that_is_as_fast(study: Study) -> None:
    twin, own_ms, twin_ms = equal_twin(study, MIXED)
    known = {each.id: equal_twin(study, each)[1] for each in (twin_of(MIXED, scale) for scale in SCALES)}
    assert len(set(known.values())) > 3
    assert known[twin.id] == twin_ms == max(latency_ms for latency_ms in known.values() if latency_ms <= 1.02 * own_ms)


def test_a_race_is_run_once_and_told_with_its_numbers(study: Study, url: str, tmp_path: Path) -> None:
    trials = [trial(0, PLAIN), trial(1, MIXED)]
    race_twins(study, trials)
    race_twins(study, trials)
    (row,) = study.ledger.event_data(study.id, "twin")
    assert row["trial"] == 1 and row["images"] == len(study.data.validation.y)
    assert row["points"][0] == pytest.approx(100 * (row["accuracy"] - row["twin_accuracy"]))
    assert row["points"][1] <= row["points"][0] <= row["points"][2]
    (sentence,) = twin_sentences(read_recorded(connect(url, read_only=True), "tiny"))
    shares = (f"{100 * row[name]:.1f} %" for name in ("accuracy", "twin_accuracy"))
    for said in (*shares, f"{row['points'][0]:+.1f} points"):
        assert said in sentence
