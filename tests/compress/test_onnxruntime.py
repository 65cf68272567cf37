"""Measuring real files in ONNX Runtime, and the formula that stands in for it in tests."""

import hashlib
import os
from pathlib import Path

import numpy as np
import onnx
import pytest

from compress.devices import DeviceError, digest, fingerprint_of
from compress.devices.faster import compare, round_minima
from compress.devices.onnxruntime import OnnxRuntime
from compress.devices.simulated import Simulated, work
from compress.export.screening import export_for_screening
from compress.runner.machine import cpuinfo, machine
from tests.compress.small_networks import INPUT_SHAPE, NORMALISATION, plain

QUICK = OnnxRuntime(rounds=10, calls=3)


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many times the work of the others."""
    path = tmp_path_factory.mktemp("deep") / "deep.onnx"
    return export_for_screening(plain(width=64, depth=6), NORMALISATION, INPUT_SHAPE, path)


def test_a_measurement_says_what_was_measured_where_and_keeps_its_samples(onnx_files: dict[str, Path]) -> None:
    (found,) = QUICK.measure([onnx_files["plain"]], onnx_files["attention"], "here")
    assert (found.metric, found.unit, found.kind, found.device) == ("latency_ms", "ms", "measured", "here")
    assert 0 < found.low <= found.value <= found.high
    assert found.artifact == hashlib.sha256(onnx_files["plain"].read_bytes()).hexdigest()
    assert found.fingerprint == fingerprint_of(QUICK)
    samples = np.frombuffer(found.samples, "<f4")
    assert samples.shape == (10 * 3,)
    assert round_minima(found).shape == (1, 10)
    tenth = np.exp(np.percentile(np.log(round_minima(found)), 10))  # between two rounds, by their logarithms
    assert tenth == pytest.approx(found.value, rel=1e-4)
    assert found.details["p50"] == pytest.approx(float(np.median(samples)), rel=1e-4)
    assert found.repeats == samples.size * int(found.details["batch"])


def test_files_come_back_in_the_order_given_and_much_more_work_is_slower(
    onnx_files: dict[str, Path], deep: Path
) -> None:
    files = [deep, onnx_files["plain"], deep]
    one, two, three = QUICK.measure(files, onnx_files["plain"], "here")
    assert one.artifact == three.artifact != two.artifact
    assert compare(two, one).verdict == "faster" and compare(one, two).verdict == "slower"
    assert float(one.details["ratio"]) > 2
    assert 0.5 < float(two.details["ratio"]) < 2


def test_only_a_quantized_file_reports_how_much_of_it_was_fused(onnx_files: dict[str, Path], int8_file: Path) -> None:
    plain_one, quantized = QUICK.measure([onnx_files["plain"], int8_file], onnx_files["plain"], "here")
    assert quantized.details["fused_share"] == 1.0
    assert "fused_share" not in plain_one.details


@pytest.mark.parametrize("device", [QUICK, Simulated()])
def test_a_file_that_cannot_be_run_is_named_with_a_remedy(
    device: OnnxRuntime | Simulated, onnx_files: dict[str, Path], tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"not a model")
    for path in (damaged, tmp_path / "missing.onnx"):
        with pytest.raises(DeviceError, match=rf"{path.name}.*[Ee]xport"):
            device.measure([path], onnx_files["plain"], "here")


def test_an_open_batch_is_1_with_a_note_and_a_formula_refuses_it(onnx_files: dict[str, Path], tmp_path: Path) -> None:
    model = onnx.load(onnx_files["plain"])
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    path = tmp_path / "any.onnx"
    onnx.save(model, path)
    (found,) = QUICK.measure([path], onnx_files["plain"], "here")
    assert str(found.details["notes"]).endswith("open size batch set to 1")
    with pytest.raises(DeviceError, match=r"any\.onnx.*batch 1"):
        Simulated().measure([path], onnx_files["plain"], "here")


def test_the_fingerprint_changes_with_what_changes_a_latency_and_with_nothing_else() -> None:
    base = fingerprint_of(OnnxRuntime())
    assert fingerprint_of(OnnxRuntime(threads=2)) != base
    assert fingerprint_of(OnnxRuntime(rounds=60, calls=7, seed=3)) == base
    assert digest({"a": "1", "b": "2"}) == digest({"b": "2", "a": "1"})
    about = OnnxRuntime().fingerprint()
    assert all(isinstance(v, str) and v for v in about.values())
    assert {"cpu", "cores", "kernel", "cpu_flags_sha256", "runtime_version", "options", "protocol"} <= set(about)
    assert fingerprint_of(Simulated(seconds_per_measurement=1.0)) == fingerprint_of(Simulated())
    assert fingerprint_of(Simulated(node_us=2)) == fingerprint_of(Simulated(node_us=2.0))
    assert fingerprint_of(Simulated(node_us=2)) != fingerprint_of(Simulated())


def test_the_machine_is_read_from_the_kernel_and_only_the_first_processor_counts() -> None:
    listing = "processor\t: 0\nmodel name\t: A CPU\nflags\t\t: avx2 avx512_vnni\n\n"
    listing += "processor\t: 1\nmodel name\t: Another\n"
    assert cpuinfo(listing) == {"processor": "0", "model name": "A CPU", "flags": "avx2 avx512_vnni"}
    assert machine()["cores"] == str(len(os.sched_getaffinity(0)))


@pytest.mark.parametrize(
    "make", [lambda: OnnxRuntime(threads=0), lambda: OnnxRuntime(rounds=1), lambda: Simulated(macs_per_us=0)]
)
def test_impossible_settings_are_refused(make) -> None:
    with pytest.raises(ValueError, match="must be"):
        make()


def test_the_formula_counts_the_multiply_adds_of_convolutions_and_products(onnx_files: dict[str, Path]) -> None:
    # 8 x 8 positions: 1 -> 16 and 16 -> 16 channels by 3 x 3 taps, then 16 -> 10
    nodes, macs = work(onnx_files["plain"])
    assert macs == 64 * 9 * (1 * 16 + 16 * 16) + 160
    assert nodes == len(onnx.load(onnx_files["plain"]).graph.node)
    # 4 projections of 64 tokens, and two products of 64 x 64 x 8 for each of 2 heads
    _, macs = work(onnx_files["attention"])
    assert macs == 64 * 9 * 16 + 4 * 64 * 16 * 16 + 2 * 2 * 64 * 64 * 8 + 160
    (found,) = Simulated(macs_per_us=1000, node_us=2).measure([onnx_files["plain"]], onnx_files["plain"], "f")
    assert found.kind == "simulated"
    assert found.value == pytest.approx((2 * nodes + (64 * 9 * 272 + 160) / 1000) / 1e3)
