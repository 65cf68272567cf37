"""Engines beside ONNX Runtime, and the choice between those that are installed."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from compress.devices import DeviceError, fingerprint_of
from compress.devices.answers import measurements_of
from compress.devices.auto import Auto
from compress.devices.engines import Setup, chosen_engines, described, fastest
from compress.devices.onnxruntime import OnnxRuntime
from compress.devices.openvino import OpenVino
from compress.devices.sessions import pooled
from compress.devices.ssh import Ssh
from compress.devices.torch import Torch
from compress.measurement import Measurement
from compress.runner.engines import installed
from compress.runner.engines.openvino import PRECISIONS, settings

needs_openvino = pytest.mark.skipif("openvino" not in installed(), reason="the extra `openvino` is not installed")
BOTH = "onnxruntime, openvino"
AUTO, OPENVINO = Auto(engines=BOTH, rounds=10, calls=3), OpenVino(rounds=10, calls=3)


def timed(folder: Path, **scales: float) -> dict[str, Measurement]:
    """A file of 1 ms times the scale in each engine, all in the same rounds."""
    path = folder / "a.onnx"
    path.write_bytes(b"x")
    names = ["onnxruntime", *scales]
    seconds = 1e-3 * np.random.default_rng(0).normal(1, 0.002, (len(names), 30, 5))
    seconds *= np.array([1.0, *scales.values()])[:, None, None]
    common = {"batch": 1, "notes": []}
    files = [
        {"seconds": s.tolist(), "busy_seconds": s.tolist(), "engine": name, **common}
        for s, name in zip(seconds, names, strict=True)
    ]
    answer = {"files": files, "switches": 0, "stolen_s": 0.0, "load": 1.0}
    return dict(zip(scales, measurements_of(answer, [path] * len(scales), path, 1, "here", "f"), strict=True))


def test_another_engine_is_chosen_only_where_it_is_shown_to_be_faster(tmp_path: Path) -> None:
    found = fastest(timed(tmp_path, onnxruntime=1.0, openvino=0.7))
    assert found.details["engine"] == "openvino"
    assert found.details["times_onnxruntime"] == pytest.approx(1 / 0.7, rel=0.01)
    assert found.value == pytest.approx(0.7, rel=0.02) and found.details["ratio"] == pytest.approx(0.7, rel=0.01)
    found = fastest(timed(tmp_path, onnxruntime=1.0, openvino=0.985))  # less than 2 % means nothing
    assert found.details["engine"] == "onnxruntime"
    assert fastest(timed(tmp_path, onnxruntime=1.0, openvino=1.3)).details["engine"] == "onnxruntime"


def test_sessions_that_choose_differently_say_so(tmp_path: Path) -> None:
    def sessions(*scales: float) -> Sequence[Measurement]:
        return [fastest(timed(tmp_path, onnxruntime=1.0, openvino=scale)) for scale in scales]

    (same,) = pooled([[m] for m in sessions(0.7, 0.72, 0.71)])
    assert same.details["engine"] == "openvino"
    assert same.details["times_onnxruntime"] == pytest.approx(1 / 0.71, rel=0.02)
    (mixed,) = pooled([[m] for m in sessions(0.97, 0.999, 0.97)])
    assert mixed.details["engine"] == "onnxruntime or openvino"
    assert not [key for key in mixed.details if key.startswith("times_")]


@needs_openvino
def test_auto_measures_each_file_in_its_fastest_engine_beside_one_reference(onnx_files: dict[str, Path]) -> None:
    files = [onnx_files["attention"], onnx_files["plain"]]
    for m in AUTO.measure(files, files[1], "here"):
        engine = m.details["engine"]
        (other,) = {"onnxruntime", "openvino"} - {engine}
        assert float(m.details[f"times_{other}"]) > 0.9
        assert m.fingerprint == fingerprint_of(AUTO) != fingerprint_of(OnnxRuntime())
    (memory, *_) = AUTO.resources(files[0], "here")
    assert memory.value > 0 and memory.fingerprint == fingerprint_of(AUTO)


@needs_openvino
def test_a_file_that_one_engine_cannot_run_is_measured_in_the_others(tmp_path: Path) -> None:
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3]) for name in "ab"]
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 2])
    node = helper.make_node("CDist", ["a", "b"], ["y"], domain="com.microsoft", metric="euclidean")
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    path = tmp_path / "own.onnx"
    onnx.save(
        helper.make_model(helper.make_graph([node], "g", given, [made]), opset_imports=opsets, ir_version=9), path
    )
    with pytest.raises(DeviceError, match=r"own\.onnx"):
        OPENVINO.measure([path], path, "here")
    (found,) = AUTO.measure([path], path, "here")
    assert found.details["engine"] == "onnxruntime" and "times_openvino" not in found.details
    path.write_bytes(b"not a model")
    with pytest.raises(DeviceError, match="cannot open own.onnx.*Export"):
        AUTO.measure([path], path, "here")


@needs_openvino
def test_what_openvino_would_choose_silently_is_set_and_part_of_the_fingerprint() -> None:
    import openvino

    for precision in PRECISIONS:
        core = openvino.Core()
        core.set_property("CPU", settings({"threads": 1, "precision": precision}))
        assert core.get_property("CPU", "ENABLE_CPU_PINNING") is False
        assert core.get_property("CPU", "INFERENCE_NUM_THREADS") == 1
    prints = {fingerprint_of(OpenVino(precision=precision)) for precision in PRECISIONS}
    assert len(prints | {fingerprint_of(OpenVino(threads=2)), fingerprint_of(OnnxRuntime())}) == len(PRECISIONS) + 2


def test_an_engine_that_is_missing_is_named_with_its_package() -> None:
    with pytest.raises(DeviceError, match="pi lacks openvino: pip install openvino there"):
        chosen_engines("openvino", {"onnxruntime": "1.31"}, "pi")
    assert chosen_engines("auto", {"openvino": "1", "onnxruntime": "2"}, "pi") == ("onnxruntime", "openvino")
    with pytest.raises(DeviceError, match="pi lacks onnxruntime"):
        chosen_engines("auto", {}, "pi")


def test_the_fingerprint_of_onnxruntime_did_not_change_with_the_other_engines() -> None:
    """Measurements of earlier versions stay valid: the same keys and texts."""
    found = described({"cpu": "x"}, {"onnxruntime": "1.31.1"}, Setup(("onnxruntime",), 2, shapes="x=1x2"))
    options = "threads=2 sequential all-optimisations no-spinning bound-io batch=1 x=1x2"
    assert found == {
        "cpu": "x",
        "runtime": "onnxruntime",
        "runtime_version": "1.31.1",
        "options": options,
        "protocol": "2",
    }


@pytest.mark.parametrize(
    "make",
    [
        lambda: OpenVino(precision="int4"),
        lambda: Auto(threads=0),
        lambda: Auto(engines="onnxruntime, tensorrt"),
        lambda: Torch(mode="jit"),
        lambda: OnnxRuntime(processor="tpu"),
        lambda: Ssh(host="a", engine="tensorrt"),
        lambda: Ssh(host="a", precision="x"),
    ],
)
def test_impossible_settings_are_refused(make) -> None:
    with pytest.raises(ValueError, match="must be"):
        make()
