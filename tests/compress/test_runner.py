"""The runner as it is run elsewhere: a process that knows nothing of Lathe, one job in, one answer out."""

import ast
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from compress import runner
from compress.devices.jobs import archive
from compress.runner.energy import energy, gpus, packages
from compress.runner.engines import ENGINES, Unrunnable, engine, installed
from compress.runner.feeding import ready_call
from compress.runner.machine import machine

HERE = [name for name in ENGINES if engine(name).version() and engine(name).READS == ".onnx"]


def ask(folder: Path, job: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """The answer of a process that is started in `folder`, without this repository, and its exit code."""
    (folder / "runner.zip").write_bytes(archive())
    done = subprocess.run(
        [sys.executable, "-I", "runner.zip"], input=json.dumps(job), cwd=folder, capture_output=True, text=True
    )
    return (json.loads(done.stdout) if done.stdout else {}), done.returncode


def entry(path: Path) -> dict[str, str]:
    return {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def model_of(path: Path, inputs: dict[str, tuple[int, list[Any]]]) -> Path:
    """A file that returns each of its inputs, {name: (type, sizes)}."""
    given = [helper.make_tensor_value_info(name, kind, sizes) for name, (kind, sizes) in inputs.items()]
    made = [helper.make_tensor_value_info(f"{name}_out", kind, sizes) for name, (kind, sizes) in inputs.items()]
    nodes = [helper.make_node("Identity", [name], [f"{name}_out"]) for name in inputs]
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", given, made), opset_imports=opset, ir_version=9), path)
    return path


def test_it_imports_only_the_standard_library_numpy_and_its_engine() -> None:
    for file in Path(runner.__file__).parent.rglob("*.py"):
        tree = ast.parse(file.read_text())
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        foreign = {name for name in names if name.split(".")[0] not in sys.stdlib_module_names}
        ours = {name for name in foreign if name.startswith("compress.runner")}
        allowed = {"numpy"} | ({file.stem, "torch"} if file.parent.name == "engines" else set())
        assert {name.split(".")[0] for name in foreign - ours} <= allowed, file


def test_the_archive_is_the_same_each_time_and_runs_without_lathe(tmp_path: Path) -> None:
    assert archive() == archive()
    found, code = ask(tmp_path, {"do": "probe"})
    assert code == 0 and list(found["engines"]) == list(installed()) and found["busy"] in (False, True)


def test_a_job_is_answered_with_every_sample_and_what_the_machine_is(
    onnx_files: dict[str, Path], tmp_path: Path
) -> None:
    files = [entry(onnx_files["plain"]), entry(onnx_files["attention"])]
    found, code = ask(tmp_path, {"do": "measure", "files": files, "rounds": 4, "calls": 3, "limit_s": 100})
    assert code == 0
    assert [np.array(file["seconds"]).shape for file in found["files"]] == [(4, 3), (4, 3)]
    assert all(np.array(file[key]).min() > 0 for file in found["files"] for key in ("seconds", "busy_seconds"))
    assert found["machine"] == machine()
    assert found["switches"] >= 0 and found["stolen_s"] >= 0


def test_a_file_that_is_not_what_was_sent_is_not_timed(onnx_files: dict[str, Path], tmp_path: Path) -> None:
    other = {**entry(onnx_files["plain"]), "sha256": "0" * 64}
    found, code = ask(tmp_path, {"do": "measure", "files": [other]})
    assert "sha256 differs" in found["error"] and code == 0


def test_a_job_that_takes_too_long_is_ended_by_the_kernel(onnx_files: dict[str, Path], tmp_path: Path) -> None:
    files = [entry(onnx_files["plain"])]
    found, code = ask(tmp_path, {"do": "measure", "files": files, "rounds": 10**7, "limit_s": 2})
    assert (found, code) == ({}, -14)


@pytest.mark.parametrize("name", HERE)
def test_the_memory_of_a_file_grows_with_its_weights(name: str, onnx_files: dict[str, Path], tmp_path: Path) -> None:
    weights = helper.make_tensor("w", TensorProto.FLOAT, [1000, 10000], np.ones(10**7, "<f4").tobytes(), raw=True)
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1000])
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 10000])
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [given], [made], [weights])
    large = tmp_path / "large.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), large)
    bytes_of = [
        ask(tmp_path, {"do": "memory", "file": {**entry(path), "engine": name}})[0]["peak_bytes"]
        for path in (onnx_files["plain"], large)
    ]
    assert bytes_of[1] - bytes_of[0] > 0.9 * 4e7


FEEDABLE = {"half": (TensorProto.FLOAT16, [2, 3]), "ids": (TensorProto.INT64, [1, 4]), "on": (TensorProto.BOOL, [2]),
            "pixels": (TensorProto.UINT8, [1, 3, 4, 4]), "scalar": (TensorProto.DOUBLE, []),
            "x": (TensorProto.FLOAT, ["batch", 3])}  # fmt: skip


@pytest.mark.parametrize("name", HERE)
def test_every_usual_type_of_input_is_fed_and_several_at_once(name: str, tmp_path: Path) -> None:
    call, notes = ready_call(str(model_of(tmp_path / "many.onnx", FEEDABLE)), name)
    call()
    assert notes == [f"x: open size {'batch' if name == 'onnxruntime' else '?'} set to 1"]


@pytest.mark.parametrize("name", HERE)
def test_open_sizes_are_what_the_user_says(name: str, tmp_path: Path) -> None:
    path = str(model_of(tmp_path / "open.onnx", {"x": (TensorProto.FLOAT, ["batch", "width", 3])}))
    assert ready_call(path, name, shapes={"x": [4, 7, 3]})[1] == []
    with pytest.raises(Unrunnable, match=r"\[4, 7, 9\] does not fit"):
        ready_call(path, name, shapes={"x": [4, 7, 9]})
    with pytest.raises(Unrunnable, match=r"no input 'y'. It has 'x'"):
        ready_call(path, name, shapes={"y": [1]})


def test_what_cannot_be_fed_is_one_sentence(tmp_path: Path) -> None:
    path = model_of(tmp_path / "words.onnx", {"text": (TensorProto.STRING, [1])})
    with pytest.raises(Unrunnable, match=r"text of words.onnx is a tensor\(string\); what can be fed"):
        ready_call(str(path))


def test_energy_is_read_from_the_packages_and_survives_a_counter_that_wraps(tmp_path: Path) -> None:
    for name, range_uj in (("intel-rapl:0", 1000), ("intel-rapl:0:0", 1000), ("other", 1000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "energy_uj").write_text("900\n")
        (tmp_path / name / "max_energy_range_uj").write_text(f"{range_uj}\n")
    found = energy(lambda: (tmp_path / "intel-rapl:0/energy_uj").write_text("100\n"), packages(str(tmp_path)), 0.01)
    assert found["joules"] == pytest.approx((1001 - 900 + 100) / 1e6)  # past 1000 comes 0
    assert found["calls"] >= 1
    assert energy(lambda: None, packages(str(tmp_path / "none")), 0.01) == {}


@pytest.mark.skipif(not shutil.which("gcc"), reason="needs a C compiler")
def test_energy_of_a_gpu_is_read_from_nvml_where_it_has_a_counter(tmp_path: Path) -> None:
    """A stand-in for NVIDIA's library: its GPU uses 250 mJ between two questions, another has no counter."""
    assert gpus(str(tmp_path / "none.so")) == []
    for name, answer in (("counts", 0), ("counts_nothing", 3)):  # 3: NVML_ERROR_NOT_SUPPORTED
        source = f"""int nvmlInit_v2(void) {{ return 0; }}
            int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {{ *device = 0; return index; }}
            int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *mj) {{
                static unsigned long long used = 1000; *mj = (used += 250); return {answer}; }}"""
        (tmp_path / f"{name}.c").write_text(source)
        made = ["gcc", "-shared", "-fPIC", "-o", str(tmp_path / f"{name}.so"), str(tmp_path / f"{name}.c")]
        subprocess.run(made, check=True)
    assert energy(lambda: None, gpus(str(tmp_path / "counts.so")), 0.01)["joules"] == pytest.approx(0.25)
    assert gpus(str(tmp_path / "counts_nothing.so")) == []
