"""A study on a new device starts from what the database knows of other devices."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from search.config.study import read_config
from search.latency.device_prior import DeviceTable
from search.latency.known_devices import device_tables
from search.latency.measuring import measure_architecture
from search.latency.transfer import FEW, best_model
from search.state.ledger import Ledger
from search.state.records import DeviceLatency
from search.study import Study, open_study
from search.watch import Watch
from spaces.architecture import Architecture
from spaces.blocks import KAN, MBConv
from spaces.features import feature_names
from spaces.space import sample
from tests.search.finished_study import TINY

NAME = "formula"
OTHER = ("study=other", "devices.formula.macs_per_us=3000", "devices.formula.node_us=2.5")


def networks(study: Study, count: int, seed: int) -> list[Architecture]:
    rng = random.Random(seed)
    found = {arch.id: arch for arch in (sample(study.space, rng) for _ in range(20 * count))}
    return list(found.values())[:count]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """A database in which another device measured twelve networks."""
    with Ledger.open(str(tmp_path_factory.mktemp("known") / "lathe.db")) as ledger:
        other = open_study(read_config(TINY, OTHER), ledger, Watch())
        for arch in networks(other, 12, 0):
            measure_architecture(arch, NAME, other)
        yield ledger


@pytest.fixture(scope="module")
def study(ledger: Ledger) -> Study:
    """A new study on a device that the database has never seen."""
    return open_study(read_config(TINY, ("search.calibration=13",)), ledger, Watch())


def test_a_new_device_is_predicted_from_five_measurements_and_a_known_device(study: Study) -> None:
    *mine, unseen = networks(study, 9, 1)
    assert study.latency(unseen, NAME) is None
    for arch in mine[:5]:
        measure_architecture(arch, NAME, study)
    (teacher,) = study.known_before(NAME).others
    assert len(teacher.latencies_ms) == 12
    rows = [np.asarray(row) for row in teacher.features[:5]]
    assert teacher.features.shape[1] == len(feature_names())
    model = best_model([teacher], rows, list(3 * teacher.latencies_ms[:5]))
    assert model is not None and model.known_devices == 1
    for row, ms in zip(teacher.features[5:], teacher.latencies_ms[5:], strict=True):
        assert model.predict_ms(row)[0] == pytest.approx(3 * ms, rel=0.15)


def test_half_as_many_trials_are_measured_first_where_a_device_is_known(study: Study) -> None:
    measure_architecture(networks(study, 1, 2)[0], NAME, study)
    assert study.config.search.calibration == 13
    assert study.calibration(NAME) == FEW == 10


def test_a_database_that_knows_no_other_device_teaches_nothing(tmp_path: Path) -> None:
    with Ledger.open(str(tmp_path / "lathe.db")) as ledger:
        study = open_study(read_config(TINY), ledger, Watch())
        measure_architecture(networks(study, 1, 0)[0], NAME, study)
        assert study.known_before(NAME).others == ()
        assert study.calibration(NAME) == study.config.search.calibration


def rows_of(kind: str, count: int, block: MBConv | KAN, study: Study) -> list[DeviceLatency]:
    """Made-up latencies of networks that have `block` throughout."""
    found = []
    for n in range(count):
        arch = networks(study, count, 3)[n]
        stages = tuple(type(s)(s.width, s.stride, (block,) * len(s.blocks), s.enter) for s in arch.stages)
        text = Architecture(arch.input_shape, arch.classes, 8 + n, arch.stem_stride, stages).to_json()
        found.append(DeviceLatency("f", "cpu", text, 1.0 + n, kind))  # type: ignore[arg-type]
    return found


def test_only_devices_that_can_teach_do(study: Study) -> None:
    """Too few networks, latencies of another kind, blocks that the space lacks: each is left out."""
    space = study.space
    assert len(device_tables(rows_of("measured", 8, MBConv(), study), space, "measured")) == 1
    assert device_tables(rows_of("measured", 7, MBConv(), study), space, "measured") == []
    assert device_tables(rows_of("simulated", 8, MBConv(), study), space, "measured") == []
    assert device_tables(rows_of("measured", 8, KAN(), study), space, "measured") == []


def test_a_block_that_is_not_installed_is_left_out(study: Study) -> None:
    known = rows_of("measured", 8, MBConv(), study)
    strange = [
        DeviceLatency("f", "cpu", one.architecture_json.replace("mbconv", "unheard-of"), one.latency_ms, one.kind)
        for one in known
    ]
    assert device_tables(strange, study.space, "measured") == []


def test_what_is_best_on_its_own_measurements_is_kept() -> None:
    """A device that has nothing in common with the known one is predicted from its own measurements alone."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 2, (40, 3))
    known = DeviceTable("cpu", x, x @ [5.0, 0.1, 0.1] + 1)
    alike, unlike = (x @ weights + 1 for weights in ([10.0, 0.2, 0.2], [0.1, 0.1, 20.0]))
    helped, alone = (best_model([known], list(x[:12]), list(y[:12])) for y in (alike, unlike))
    assert helped is not None and alone is not None
    assert alone.known_devices == 0
    assert alone.predict_ms(x[20])[0] == pytest.approx(unlike[20], rel=0.1)
    assert helped.predict_ms(x[20])[0] == pytest.approx(alike[20], rel=0.1)


def test_engines_of_one_processor_are_as_foreign_as_processors_and_their_settings_are_not(tmp_path: Path) -> None:
    with Ledger.open(str(tmp_path / "lathe.db")) as ledger:
        study = open_study(read_config(TINY), ledger, Watch())
        arch = networks(study, 1, 0)[0]
        found = measure_architecture(arch, NAME, study)
        for i, runtime in enumerate(("onnxruntime", "onnxruntime", "openvino")):
            ledger.add_device(f"device {i}", NAME, runtime, {"cpu": "EPYC", "runtime": runtime, "options": str(i)})
            ledger.record_measurements(study.id, arch.id, None, [replace(found, fingerprint=f"device {i}")])
        elsewhere = ledger.latencies_elsewhere(found.fingerprint)
        assert [one.hardware for one in elsewhere] == ["EPYC, onnxruntime"] * 2 + ["EPYC, openvino"]
