"""A study that screens as int8 speaks of int8 files throughout, and of no others."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from compress.artifact import sha256_of
from compress.export.session import graph_report
from search.config.study import read_config
from search.errors import ConfigError
from search.latency.measuring import export_screened, measure_architecture
from search.latency.precision import FLOAT, INT8, NETWORK_METRICS, PRECISIONS
from search.main_loop import launch
from search.report.page import report_html
from search.report.summary import summarise
from search.report.telling import study_text
from search.screen import screen
from search.state.ledger import Ledger
from search.state.recorded import load_study
from search.state.records import Evaluation
from search.study import Study, open_study
from search.watch import Watch
from spaces.architecture import Architecture
from spaces.space import sample
from tests.search.finished_study import TINY

NAME = "formula"
AS_INT8 = "search.screen=int8"


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    with Ledger.open(str(tmp_path_factory.mktemp("precision") / "lathe.db")) as ledger:
        yield ledger


def opened(ledger: Ledger, name: str, *overrides: str) -> Study:
    return open_study(read_config(TINY, (f"study={name}", *overrides)), ledger, Watch(quiet=True))


def architecture(study: Study, seed: int) -> Architecture:
    return sample(study.space, random.Random(seed))


def test_a_trial_is_measured_by_an_int8_file_in_which_all_arithmetic_is_int8(ledger: Ledger, tmp_path: Path) -> None:
    study = opened(ledger, "int8", AS_INT8)
    arch = architecture(study, 0)
    found = measure_architecture(arch, NAME, study)
    files = {p: export_screened(arch, study.data, tmp_path / f"{p}.onnx", screen=p) for p in PRECISIONS}
    assert found.artifact == sha256_of(files[INT8])
    assert graph_report(files[INT8])["fused_share"] == 1.0
    assert graph_report(files[FLOAT])["int8_nodes"] == 0
    (told,) = study.config.devices[NAME].measure([files[INT8]], files[FLOAT], NAME)
    assert found.value == pytest.approx(told.value)


def test_float_and_int8_studies_of_one_network_keep_their_numbers_apart(ledger: Ledger) -> None:
    studies = {FLOAT: opened(ledger, "apart-float"), INT8: opened(ledger, "apart-int8", AS_INT8)}
    arch = architecture(studies[FLOAT], 1)
    found = {precision: measure_architecture(arch, NAME, study) for precision, study in studies.items()}
    assert found[FLOAT].value != found[INT8].value
    for precision, study in studies.items():
        assert found[precision].metric == NETWORK_METRICS[precision]
        (kept,) = ledger.measurements(study_id=study.id, metric=NETWORK_METRICS[precision])
        assert kept.measurement.value == found[precision].value
        elsewhere = ledger.latencies_elsewhere("another", NETWORK_METRICS[precision])
        assert found[precision].value in [one.latency_ms for one in elsewhere]
        assert not {m.value for p, m in found.items() if p != precision} & {one.latency_ms for one in elsewhere}


def test_what_an_int8_study_measured_it_knows_when_it_is_opened_again(ledger: Ledger) -> None:
    study = opened(ledger, "again", AS_INT8)
    asked = Evaluation("validation", "loss", 1.0, 1.0, 1.0, 1, "supernet")
    trial = screen(study.proposer.propose(0), lambda arch: (asked,), study)
    study.add(trial)
    ((key, measured),) = study.measured.items()
    assert trial.values[f"latency_ms@{NAME}"] == measured.value
    ((same, known),) = opened(ledger, "again", AS_INT8).measured.items()
    assert (same, known.metric, known.value) == (key, NETWORK_METRICS[INT8], measured.value)
    with pytest.raises(ConfigError, match="search.screen: 'int8' -> "):
        opened(ledger, "again")


@pytest.fixture(scope="module")
def finished_as_int8(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A whole study whose latency limit only its int8 files are asked for; its database."""
    db = str(tmp_path_factory.mktemp("int8") / "lathe.db")
    config = read_config(TINY, ("compress.max_drop=50", AS_INT8, "limits.latency_ms@formula=0.12"))
    with Ledger.open(db) as ledger:
        launch(config, ledger)
    return db


@pytest.mark.slow
def test_trials_random_ones_and_the_front_are_int8_files_and_what_ships_keeps_the_limit(finished_as_int8: str) -> None:
    recorded = load_study("tiny", finished_as_int8)
    assert recorded.study.state == "done"
    rows = [row for row in recorded.measurements if row.variant_id is None and row.architecture_id]
    assert {row.measurement.metric for row in rows} == {NETWORK_METRICS[INT8]}
    origins = {trial.architecture_id: trial.origin for trial in recorded.trials}
    assert {origins[row.architecture_id or ""] for row in rows} == {"search", "random"}
    summary = summarise(recorded)
    assert summary.front and all(point.values[f"latency_ms@{NAME}"].high <= 0.12 for point in summary.front)
    assert summary.predictions, "predictions were of int8 files and measured as such"
    (shipped,) = [v for v in recorded.variants if v.is_shipped]
    assert next(m.high for m in shipped.measurements if m.metric == "latency_ms") <= 0.12
    by_arch = {row.architecture_id: row.measurement.value for row in rows}
    started = [v for v in recorded.variants if v.step == "inherit"]
    floats = [next(m.value for m in v.measurements if m.metric == "latency_ms") for v in started]
    assert all(by_arch[v.architecture_id] > 2 * ms for v, ms in zip(started, floats, strict=True))  # of this formula


@pytest.mark.slow
def test_the_study_says_that_it_was_screened_as_int8_wherever_it_is_told(finished_as_int8: str) -> None:
    recorded = load_study("tiny", finished_as_int8)
    assert "networks were screened as int8 files" in study_text(recorded)
    assert "screened as int8 files by the same rules" in report_html(recorded)
