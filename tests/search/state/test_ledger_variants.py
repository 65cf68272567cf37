"""What the ledger keeps of measurements, variants and files, and what the check finds when some are lost."""

from dataclasses import replace

import pytest

from compress.measurement import exact
from search.errors import Paused
from search.state.check import check
from search.state.ledger import Ledger
from search.state.records import ArtifactRecord, Parent
from tests.search.ledger_samples import HERE, LOSS, architecture, ask, begin, count, latency, trial, variant

# Measurements


def test_a_measurement_is_shared_between_studies_and_the_first_one_stays(ledger: Ledger) -> None:
    study, other, file = begin(ledger), begin(ledger, "other"), "b" * 64
    ledger.add_architecture(*vars(architecture(0)).values())
    ledger.record_measurements(study.id, architecture(0).id, None, [latency(file, 0.2)])
    ledger.record_measurements(other.id, architecture(0).id, None, [latency(file, 0.4)])
    known = ledger.known_measurement(file, HERE, "latency_ms")
    assert known is not None and (known.value, known.low, known.high) == (0.2, 0.2 - 0.1, 0.2 + 0.1)
    assert ledger.known_measurement(file, "0" * 64, "latency_ms") is None
    assert ledger.known_measurement("c" * 64, HERE, "latency_ms") is None
    found = ledger.measurements(architecture_ids=[architecture(0).id], fingerprint=HERE)
    assert [(record.study_id, record.measurement.value) for record in found] == [(study.id, 0.2), (other.id, 0.2)]


def test_one_session_does_not_pass_for_three(ledger: Ledger) -> None:
    file = "a" * 64
    single = replace(latency(file, 0.2), details={"protocol": "2", "sessions": 1})
    ledger.record_measurements(None, None, None, [single])
    assert ledger.known_measurement(file, HERE, "latency_ms", sessions=3) is None
    several = replace(latency(file, 0.21), details={"protocol": "2", "sessions": 3})
    ledger.record_measurements(None, None, None, [several])
    assert ledger.known_measurement(file, HERE, "latency_ms", sessions=3) == several
    assert ledger.known_measurement(file, HERE, "latency_ms") == several  # the better one serves for less too


def test_a_device_described_after_its_first_measurement_is_completed(ledger: Ledger) -> None:
    study = begin(ledger)
    ledger.record_measurements(study.id, None, None, [latency("b" * 64)])
    ledger.add_device(HERE, "here", "onnxruntime", {"cpu": "x86"})
    found = ask(ledger.url, "SELECT name, kind, spec FROM lathe_device")
    assert found == [("here", "onnxruntime", '{"cpu":"x86"}')]


# Variants


def test_a_chain_of_variants_comes_back_with_parents_files_and_numbers(ledger: Ledger) -> None:
    study = begin(ledger)
    trial_id = ledger.record_trial(study.id, trial(0))
    weights, model = ledger.store.put(b"weights"), ledger.store.put(b"model")
    rows = (
        ArtifactRecord(weights.sha256, weights.size_bytes, "safetensors", "train"),
        ArtifactRecord(model.sha256, model.size_bytes, "onnx", "export", {"opset": 20}, (weights.sha256,)),
    )
    start = variant(0, trial_id=trial_id, weights=weights.sha256, model=model.sha256, artifacts=rows)
    start_id = ledger.record_variant(study.id, start)
    smaller = variant(
        1,
        step="prune",
        verdict="rejected",
        reason="accuracy fell by 2.1 points, more than max_drop 1.0",
        parents=(Parent(start_id, "base"), Parent(start_id, "teacher")),
        evaluations=(LOSS,),
        measurements=(latency("c" * 64),),
        seconds=1.5,
    )
    smaller_id = ledger.record_variant(study.id, smaller)
    ledger.mark_shipped(start_id)
    found = ledger.variants(study.id)
    assert [record.id for record in found] == [start_id, smaller_id]
    assert [record.is_shipped for record in found] == [True, False]
    assert found[1] == smaller and found[1].key == smaller.key
    assert (count(ledger, "artifact"), count(ledger, "artifact_parent")) == (2, 1)


def test_a_variant_recorded_twice_is_one_variant(ledger: Ledger) -> None:
    study = begin(ledger)
    assert ledger.record_variant(study.id, variant()) == ledger.record_variant(
        study.id, variant(verdict="rejected", reason="asked again")
    )
    assert [record.verdict for record in ledger.variants(study.id)] == ["start"]


def test_a_variant_shows_the_measurement_that_another_study_took_of_its_file(ledger: Ledger) -> None:
    study, other = begin(ledger), begin(ledger, "other")
    file = ledger.add_artifact(study.id, b"model", "onnx")
    ledger.record_variant(study.id, variant(model=file, measurements=(latency(file, 0.2),)))
    ledger.record_variant(other.id, variant(model=file, measurements=(latency(file, 0.3),)))
    assert ledger.variants(other.id)[0].measurements == (latency(file, 0.2),)


def test_a_variant_does_not_show_what_another_study_measured_of_its_file_on_another_device(ledger: Ledger) -> None:
    """Whichever of the two studies came first."""
    study, other = begin(ledger), begin(ledger, "other")
    file = ledger.add_artifact(study.id, b"model", "onnx")
    here, there = latency(file, 0.2), replace(latency(file, 0.9), device="there", fingerprint="e" * 64)
    size = exact("size_bytes", 5, "B", file)
    ledger.record_variant(study.id, variant(model=file, measurements=(here, size)))
    ledger.record_variant(other.id, variant(model=file, measurements=(there, size)))
    assert ledger.variants(study.id)[0].measurements == (here, size)
    assert ledger.variants(other.id)[0].measurements == (there, size)


def test_a_variant_of_an_older_lathe_shows_what_another_study_measured_of_its_file(ledger: Ledger) -> None:
    """It wrote no row for a cost that was known already."""
    study, other = begin(ledger), begin(ledger, "other")
    file = ledger.add_artifact(study.id, b"model", "onnx")
    ledger.record_variant(study.id, variant(model=file, measurements=(latency(file, 0.2),)))
    ledger.record_variant(other.id, variant(model=file))
    assert ledger.variants(other.id)[0].measurements == (latency(file, 0.2),)


def test_a_variant_without_its_file_is_refused(ledger: Ledger) -> None:
    study = begin(ledger)
    with pytest.raises(FileNotFoundError):
        ledger.record_variant(study.id, variant(model="0" * 64))
    assert ledger.variants(study.id) == []


# Artifacts


def test_a_checkpoint_replaces_the_one_before_and_its_file(ledger: Ledger) -> None:
    study = begin(ledger)
    assert ledger.load_checkpoint(study.id, "supernet") is None
    ledger.save_checkpoint(study.id, "supernet", b"epoch 1")
    last = ledger.save_checkpoint(study.id, "supernet", b"epoch 2")
    assert ledger.load_checkpoint(study.id, "supernet") == b"epoch 2"
    assert list(ledger.store.names()) == [last]
    assert (count(ledger, "artifact"), count(ledger, "checkpoint")) == (1, 1)


def test_a_replaced_checkpoint_that_a_variant_uses_is_kept(ledger: Ledger) -> None:
    study = begin(ledger)
    used = ledger.save_checkpoint(study.id, "supernet", b"epoch 1")
    ledger.record_variant(study.id, variant(weights=used))
    ledger.save_checkpoint(study.id, "supernet", b"epoch 2")
    with ledger.store.open(used) as stream:
        assert stream.read() == b"epoch 1"


def test_a_damaged_checkpoint_counts_as_none_and_is_logged(ledger: Ledger) -> None:
    study = begin(ledger)
    saved = ledger.save_checkpoint(study.id, "supernet", b"epoch 1")
    ledger.store.path(saved).write_bytes(b"epoch 7")
    assert ledger.load_checkpoint(study.id, "supernet") is None
    assert count(ledger, "event") == 1


def test_files_without_a_row_are_removed_only_when_nobody_else_is_writing(ledger: Ledger, url: str) -> None:
    kept = ledger.add_artifact(None, b"kept", "report")
    orphan = ledger.store.put(b"left by a killed process").sha256
    assert ledger.orphans() == [orphan]
    with Ledger.open(url):
        assert ledger.gc() == []
    assert ledger.gc() == [orphan]
    assert list(ledger.store.names()) == [kept]


def test_a_full_disk_pauses_the_study(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    study = begin(ledger)
    monkeypatch.setattr("compress.artifact.os.fsync", full)
    with pytest.raises(Paused, match="resume"):
        ledger.add_artifact(study.id, b"model", "onnx")
    monkeypatch.undo()
    assert (ledger.orphans(), count(ledger, "artifact")) == ([], 0)


# The check


def test_the_check_finds_lost_and_damaged_and_unknown_files_and_an_abandoned_study(url: str) -> None:
    with Ledger.open(url) as ledger:
        study = begin(ledger)
        lost, damaged = (ledger.add_artifact(study.id, data, "report") for data in (b"lost", b"damaged"))
        assert check(url) == []
        ledger.store.path(lost).unlink()
        ledger.store.path(damaged).write_bytes(b"")
        unknown = ledger.store.put(b"unknown").sha256
    found = "\n".join(check(url))
    assert f"artifact {lost[:12]} is not in" in found
    assert f"artifact {damaged[:12]} in" in found and "is damaged" in found
    assert f"file {unknown[:12]} in" in found
    assert "'digits' is marked running" in found
    assert len(found.splitlines()) == 4


def test_a_trials_file_that_another_study_measured_is_known_to_both(ledger: Ledger) -> None:
    studies = [begin(ledger, name) for name in ("one", "other")]
    made = architecture(0)
    ledger.add_architecture(made.id, made.json, made.params, made.macs, made.peak_bytes)
    for study in [*studies, *studies]:
        ledger.record_measurements(study.id, made.id, None, [latency("a" * 64)])
    assert [len(ledger.measurements(study_id=study.id)) for study in studies] == [1, 1]


def test_a_trials_file_that_calibration_measured_is_known_to_the_study(ledger: Ledger) -> None:
    """Else a resumed study would not know what it was told."""
    study, made = begin(ledger), architecture(0)
    ledger.add_architecture(made.id, made.json, made.params, made.macs, made.peak_bytes)
    ledger.record_measurements(None, made.id, None, [latency("a" * 64, 0.2)])
    for _ in range(2):
        ledger.record_measurements(study.id, made.id, None, [latency("a" * 64, 0.3)])
    assert [row.measurement.value for row in ledger.measurements(study_id=study.id)] == [0.2]
