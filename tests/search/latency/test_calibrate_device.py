"""A device learned before any study: its blocks are measured once, and foresee whole networks."""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from compress.devices import fingerprint_of
from search.config.study import read_config
from search.errors import Interrupted
from search.latency.block_table import BlockTable, fit_blocks
from search.latency.calibrate_device import DRAWN, Place, calibrate_device, missing_blocks, missing_networks
from search.latency.known_blocks import known_blocks, known_networks
from search.latency.known_devices import device_tables
from search.latency.measuring import measure_architecture
from search.latency.precision import PRECISIONS
from search.latency.transfer import FEW, choose
from search.state.ledger import Ledger
from search.study import open_study
from search.watch import Watch
from spaces.architecture import Architecture, Stage
from spaces.blocks import MBConv
from spaces.features import features, kinds_of
from spaces.placements import placements
from spaces.space import sample
from tests.search.command_line import Call, is_one_message
from tests.search.finished_study import TINY

NAME = "formula"
NETWORKS = 10


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A device that is a formula, calibrated for tiny.yaml in both precisions."""
    config = read_config(TINY)
    data = config.task.load()
    with Ledger.open(str(tmp_path_factory.mktemp("calibrated") / "lathe.db")) as ledger:
        place = Place(config.devices[NAME], NAME, config.space(data), data, ledger, PRECISIONS)
        calibrate_device(place, NETWORKS, Watch(quiet=True))
        yield place


def test_every_block_of_the_space_is_known_and_so_is_every_network(place: Place) -> None:
    table = known_blocks(place.ledger, fingerprint_of(place.device))
    assert set(table.ms) == {placed.key for placed in placements(place.space)}
    assert min(table.ms.values()) > 0
    assert missing_blocks(place) == missing_networks(place, NETWORKS) == []
    assert len(known_networks(place.ledger, fingerprint_of(place.device), place.space, "int8")) == NETWORKS


def test_nothing_is_measured_twice_and_what_is_missing_is(place: Place) -> None:
    before = len(place.ledger.measurements())
    fits = calibrate_device(place, NETWORKS, Watch(quiet=True))
    assert len(place.ledger.measurements()) == before
    assert [(fit.precision, fit.networks) for fit in fits] == [("float", NETWORKS), ("int8", NETWORKS)]
    assert len(missing_networks(place, NETWORKS + 3)) == 3


def test_where_another_device_is_known_the_networks_are_chosen_by_what_it_knows(place: Place) -> None:
    another = replace(place, device=replace(place.device, macs_per_us=3000.0))  # type: ignore[type-var]
    others = device_tables(place.ledger.latencies_elsewhere(fingerprint_of(another.device)), place.space, "simulated")
    assert [len(table.latencies_ms) for table in others] == [NETWORKS]
    rng = random.Random("calibration")
    drawn = {arch.id: arch for arch in (sample(place.space, rng) for _ in range(DRAWN * NETWORKS))}
    chosen = choose(others, np.stack([features(arch) for arch in drawn.values()]), NETWORKS)
    wanted = [arch.id for arch in missing_networks(another, NETWORKS)]
    assert wanted == [list(drawn)[i] for i in chosen] != list(drawn)[:NETWORKS]


def test_blocks_foresee_networks_that_were_not_measured(place: Place) -> None:
    table = known_blocks(place.ledger, fingerprint_of(place.device))
    known = known_networks(place.ledger, fingerprint_of(place.device), place.space)
    rows = [table.row(place.space, arch) for arch, _ in known]
    model = fit_blocks([row for row in rows if row is not None], [m.value for _, m in known])
    assert model is not None
    config = read_config(TINY, ("study=unseen",))
    study = open_study(config, place.ledger, Watch(quiet=True))
    for arch in (sample(place.space, random.Random(f"unseen {n}")) for n in range(5)):
        row = table.row(place.space, arch)
        assert row is not None
        assert model.predict_ms(row)[0] == pytest.approx(measure_architecture(arch, NAME, study).value, rel=0.1)


def test_a_study_on_a_calibrated_device_measures_fewer_trials_first(place: Place) -> None:
    study = open_study(read_config(TINY, ("study=after", "search.calibration=13")), place.ledger, Watch(quiet=True))
    measure_architecture(sample(place.space, random.Random(7)), NAME, study)
    study.refit(NAME)
    assert study.calibration(NAME) == FEW == 10
    foresight = study.foresight[NAME]
    assert foresight.by_blocks is not None and foresight.by_blocks.n >= NETWORKS
    unseen = sample(place.space, random.Random(8))
    told = study.latency(unseen, NAME)
    assert told is not None and told[3] == "predicted"
    assert told[0] == pytest.approx(measure_architecture(unseen, NAME, study).value, rel=0.1)


def test_a_study_that_screens_int8_is_foreseen_by_int8_blocks(place: Place) -> None:
    study = open_study(read_config(TINY, ("study=int8", "search.screen=int8")), place.ledger, Watch(quiet=True))
    measure_architecture(sample(place.space, random.Random(7)), NAME, study)
    study.refit(NAME)
    assert study.known_before(NAME).blocks == known_blocks(place.ledger, fingerprint_of(place.device), "int8")
    unseen = sample(place.space, random.Random(8))
    told = study.latency(unseen, NAME)
    assert study.foresight[NAME].by_blocks is not None and told is not None
    assert told[0] == pytest.approx(measure_architecture(unseen, NAME, study).value, rel=0.1)


def test_a_network_with_an_unknown_block_is_predicted_from_features(place: Place) -> None:
    """Pruning makes widths that the space does not have."""
    pruned = Architecture(
        place.space.input_shape, place.space.classes, 8, 1,
        (Stage(7, 2, (MBConv(expand=1),)), Stage(16, 2, (MBConv(expand=2),))),
    )  # fmt: skip
    assert known_blocks(place.ledger, fingerprint_of(place.device)).row(place.space, pruned) is None
    study = open_study(read_config(TINY, ("study=pruned",)), place.ledger, Watch(quiet=True))
    measure_architecture(sample(place.space, random.Random(9)), NAME, study)
    study.refit(NAME)
    assert study.latency(pruned, NAME) is not None


def test_an_interrupted_calibration_keeps_what_it_measured_and_goes_on(place: Place, tmp_path: Path) -> None:
    watch = Watch(quiet=True)
    asked = []

    def check() -> None:
        asked.append(1)
        if len(asked) > 4:  # two references and the first step of each kind are behind it
            raise Interrupted("stop")

    watch.check = check  # type: ignore[method-assign]
    with Ledger.open(str(tmp_path / "lathe.db")) as ledger:
        fresh = replace(place, ledger=ledger, precisions=("float",))
        with pytest.raises(Interrupted):
            calibrate_device(fresh, 2, watch)
        kept = known_blocks(ledger, fingerprint_of(place.device))
        assert 0 < len(kept.ms) < len(placements(place.space))
        calibrate_device(fresh, 2, Watch(quiet=True))
        assert known_blocks(ledger, fingerprint_of(place.device)).ms.items() >= kept.ms.items()
        assert missing_blocks(fresh) == []


def test_a_row_adds_up_by_kind(place: Place) -> None:
    table = known_blocks(place.ledger, fingerprint_of(place.device))
    row = table.row(place.space, sample(place.space, random.Random(3)))
    assert row is not None and len(row) == 1 + len(kinds_of(place.space))
    assert row[0] == pytest.approx(row[1:].sum())
    assert BlockTable().row(place.space, sample(place.space, random.Random(3))) is None


def test_corrections_by_kind_are_made_only_where_the_data_insist() -> None:
    rng = np.random.default_rng(0)
    kinds = rng.uniform(0.5, 2, (60, 3))
    rows = list(np.concatenate([kinds.sum(1, keepdims=True), kinds], axis=1))
    plain = fit_blocks(rows[:10], [1.1 * row[0] + 0.05 for row in rows[:10]])
    bent = fit_blocks(rows[:40], [row[0] + 0.5 * row[1] for row in rows[:40]])
    assert plain is not None and bent is not None
    for row in rows[40:]:
        assert plain.predict_ms(row)[0] == pytest.approx(1.1 * row[0] + 0.05, rel=0.01)
        assert bent.predict_ms(row)[0] == pytest.approx(row[0] + 0.5 * row[1], rel=0.05)


def test_the_command_says_how_long_it_takes_and_what_came_out(search: Call, tmp_path: Path) -> None:
    call = ("device", "calibrate", NAME, "--space", TINY, "--networks", "8", "--db", tmp_path / "lathe.db")
    said = search(*call)
    assert said.code == 0, said
    assert f"{NAME}: 33 blocks and 8 networks to measure, about" in said.err
    assert "all 33 blocks are known. Of 8 whole networks" in said.out
    again = search(*call, "--json")
    assert "to measure" not in again.err
    (fit,) = json.loads(again.out)["fits"]
    assert (fit["precision"], fit["blocks"], fit["networks"]) == ("float", 33, 8)


def test_a_device_that_nobody_knows_is_one_message(search: Call, tmp_path: Path) -> None:
    said = search("device", "calibrate", "formulas", "--space", TINY, "--db", tmp_path / "lathe.db")
    is_one_message(said, 4, "no device 'formulas'")
