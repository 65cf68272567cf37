"""`search measure`: any ONNX file, alone or beside others, without a study."""

import json
import os
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer.testing

from compress.devices.onnxruntime import OnnxRuntime
from compress.export.screening import export_for_screening
from compress.runner.feeding import ready_call
from compress.runner.machine import machine
from search.commands.app import app
from search.errors import LatheError
from search.latency.files import Effort, fitted, too_many_threads
from search.latency.noise import busy_processes
from search.latency.sample_network import sample_model
from tests.compress.small_networks import INPUT_SHAPE, NORMALISATION, plain


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("files")
    networks = {"small": plain(), "large": plain(width=64, depth=4)}
    return [
        export_for_screening(n, NORMALISATION, INPUT_SHAPE, folder / f"{name}.onnx") for name, n in networks.items()
    ]


def run(*arguments: str | Path) -> str:
    found = typer.testing.CliRunner().invoke(app, ["measure", *map(str, arguments)], catch_exceptions=False)
    assert found.exit_code == 0
    return found.stdout


def test_files_are_compared_with_the_first_which_shows_the_noise(files: list[Path]) -> None:
    text = run(*files)
    assert "small.onnx" in text and "slower" in text and "beside itself" in text and "at the peak" in text
    assert "of tensors at the peak, without weights" in text
    found = json.loads(run(*files, "--json"))
    small, large = found["files"]
    assert found["v"] == 1
    assert small["latency_ms"]["low"] <= small["latency_ms"]["value"] <= small["latency_ms"]["high"]
    assert small["against_first"] is None
    assert large["against_first"]["verdict"] == "slower" and large["against_first"]["paired"]
    assert small["details"]["sessions"] == 3
    assert 0 < small["resident_bytes"]["value"] < large["resident_bytes"]["value"] + 1e7
    assert 0 < small["arena_bytes"]["value"] < large["arena_bytes"]["value"]


def test_a_formula_says_that_it_is_one(files: list[Path]) -> None:
    assert "from a formula" in run(files[0], "--device", "simulated")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["missing.onnx"], 4, "no file missing.onnx"),
        (["{folder}"], 2, "is a folder, and not one that `search export` wrote.*search measure .*large.onnx"),
        ([str(Path(__file__).parent)], 2, "is a folder.*Name an ONNX file"),
        ([__file__], 6, "cannot open test_files.py: it is no ONNX model"),
        (["{small}", "--device", "onnxrt"], 4, "did you mean 'onnxruntime'"),
        (["{small}", "--device", "simulated", "--threads", "2"], 2, "no `threads`"),
        (["{small}", "--device", "ssh"], 2, "`host` must be a name"),
        (["{small}", "--set", "round=3"], 2, "did you mean 'rounds'"),
        (["{small}", "--set", "rounds=few"], 2, "must be a whole number, got 'few'"),
        (["{small}", "--shape", "input=wide"], 2, "input=1x3x224x224"),
        (["{small}", "--shape", "pixels=1x1x8x8"], 6, "no input 'pixels'. It has 'input'"),
    ],
)
def test_what_cannot_be_measured_is_one_message(
    arguments: list[str], code: int, message: str, files: list[Path]
) -> None:
    with pytest.raises(LatheError, match=message) as caught:
        run(*[argument.format(small=files[0], folder=files[0].parent) for argument in arguments])
    assert caught.value.exit_code == code


def test_slow_files_are_measured_with_fewer_calls_and_then_fewer_rounds() -> None:
    usual = Effort(sessions=3, rounds=30, calls=5, seconds=60)
    assert fitted(usual, 1e-3) == usual
    assert (fitted(usual, 0.3).calls, fitted(usual, 0.3).rounds) == (2, 30)
    assert (fitted(usual, 1.0).calls, fitted(usual, 1.0).rounds) == (1, 20)
    assert (fitted(usual, 60.0).calls, fitted(usual, 60.0).rounds) == (1, 10)


def test_a_model_against_itself_is_noise_and_competitors_are_gone_afterwards(files: list[Path]) -> None:
    arguments = ["bench", "aa", "--model", str(files[0]), "--load", "2", "--repeats", "2", "--sessions", "2", "--json"]
    found = json.loads(typer.testing.CliRunner().invoke(app, arguments, catch_exceptions=False).stdout)
    assert [n["calls"] for n in found["noise"]] == [300, 150, 40, 350]
    assert all(0 < n["sd"] <= n["worst"] for n in found["noise"])
    with busy_processes(2):
        assert len(children()) >= 2
    assert not children()


def children() -> list[int]:
    own = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [int(pid) for pid in own]


def test_the_model_that_is_measured_by_default_runs(tmp_path: Path) -> None:
    call, notes = ready_call(str(sample_model(tmp_path / "sample.onnx")))
    call()
    assert notes == []


def test_an_archive_is_said_to_be_one_and_not_a_model(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as archive:
        archive.writestr("a.onnx", "")
    with pytest.raises(LatheError, match="bundle.zip: it is a zip archive.*Unpack a bundle") as caught:
        run(tmp_path / "bundle.zip")
    assert "PROTOBUF" not in str(caught.value) and caught.value.exit_code == 6


def test_more_threads_than_cores_are_warned_of_and_measured(files: list[Path]) -> None:
    cores, call = int(machine()["cores"]), ["measure", str(files[0]), "--threads"]
    said = typer.testing.CliRunner().invoke(app, [*call, str(cores + 1)])
    assert said.exit_code == 0 and "faster" not in said.stdout
    assert f"warning: onnxruntime has threads: {cores + 1}, and this process may use" in said.stderr
    assert too_many_threads(OnnxRuntime(threads=cores), "here") == ""
    assert too_many_threads(SimpleNamespace(threads=10**6, host="pi"), "pi") == "", "another machine's"
