"""Series from the space, or from a user's network of 1-D convolutions, to a bundle that reads them."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch

from search.commands.develop import run_study
from search.config.recipe import read_recipe
from search.shipping.export import write_export
from search.state.ledger import Ledger
from search.state.recorded import load_study
from spaces.architecture import Architecture
from spaces.blocks import BLOCKS
from spaces.blocks.convmixer import ConvMixer
from tests.search.command_line import Call, is_one_message
from tests.toy_task import toy_data

CHANNELS, STEPS = 3, 20
SPACE = """\
study: waves
task: {kind: series, path: waves.parquet, shift: 1, noise: 0.05, validation: 0.2, test: 0.2}
space:
  stem: {width: [8]}
  stages:
    - {depth: [1], width: [8, 16], stride: 2, blocks: [{resnet: {kernel: [3, 5], ratio: [0.5, 1]}}]}
    - {depth: [1, 2], width: [16, 24], stride: 2, blocks: [{mbconv: {expand: [1, 2]}}, {attention: {heads: [1, 2]}}]}
supernet: {epochs: 2, batch: 64, lr: 0.1}
search: {sampler: surrogate, trials: 8, calibration: 4, exports: 8}
objectives: {loss: min, latency_ms@formula: min}
limits: {params: 40k}
devices: {formula: {kind: simulated}}
compress:
  {keep: 1, teacher_epochs: 1, max_drop: 50, steps: [distill: {epochs: 1, loss: hints}, prune: {epochs: 1}, quantize]}
"""
RECIPE = """\
study: mine
task: {kind: series, path: waves.parquet}
devices: {formula: {kind: simulated}}
max_drop: 100
steps: [{distill: {epochs: 2, lr: 0.1}}, {prune: {ratio: 0.5, epochs: 1}}, {quantize: {images: 16}}]
"""
MODEL = """\
import torch
from torch import nn

def convolutional() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv1d(3, 16, 5, 2, 2), nn.BatchNorm1d(16), nn.ReLU(), nn.Conv1d(16, 16, 5, 1, 2), nn.ReLU(),
        nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(16, 4))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A space, a recipe with a model of the user's, and the file that both learn from."""
    folder = tmp_path_factory.mktemp("series")
    parts = toy_data(train=200, channels=CHANNELS, size=(STEPS,)).train
    table = pa.table({"series": parts.x.tolist(), "label": [("up", "down", "left", "right")[y] for y in parts.y]})
    pyarrow.parquet.write_table(table, folder / "waves.parquet")
    for name, text in {"space.yaml": SPACE, "recipe.yaml": RECIPE, "net.py": MODEL}.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Path:
    """Of the user's network; a study's has the same files."""
    config = read_recipe(folder / "recipe.yaml", f"{folder / 'net.py'}:convolutional")
    run_study(config, str(folder / "mine.db"), quiet=True)
    with Ledger.open(str(folder / "mine.db"), create=False) as ledger:
        write_export(ledger, "mine", folder / "bundle", bundle=True)
    return folder / "bundle"


def test_a_network_of_1d_convolutions_goes_through_a_recipe(bundle: Path) -> None:
    chain = [v for v in load_study("mine", str(bundle.with_name("mine.db"))).variants if v.role == "winner"]
    assert [v.step for v in chain] == ["given", "distill", "prune", "quantize"]


def test_the_files_take_series_as_they_come(bundle: Path) -> None:
    card = json.loads((bundle / "card.json").read_text())
    assert card["preprocessing"]["shape"] == [CHANNELS, STEPS] and "(1, C, L)" in card["input"]
    assert card["labels"] == ["down", "left", "right", "up"]
    import onnx

    (given,) = onnx.load(bundle / card["shipped"]).graph.input
    assert [size.dim_value for size in given.type.tensor_type.shape.dim] == [1, CHANNELS, STEPS]
    text = (bundle / "MODEL_CARD.md").read_text()
    assert f"float32 (1, {CHANNELS}, {STEPS})" in text and "series.npy" in text and "pixel" not in text


def test_the_runner_repeats_the_test_and_reads_series_from_files(bundle: Path, tmp_path: Path) -> None:
    def run(*arguments: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", bundle / "run.py", *arguments], capture_output=True, text=True, cwd="/"
        )

    done = run()
    assert done.returncode == 0 and "8 examples, largest difference" in done.stdout, done.stderr
    card = json.loads((bundle / "card.json").read_text())
    series = np.fromfile(bundle / "test/input.f32", "<f4").reshape(8, CHANNELS, STEPS)[0]
    expected = np.fromfile(bundle / card["test"]["files"][card["shipped"]]["expected"], "<f4").reshape(8, 4)[0]
    np.save(tmp_path / "a.npy", series)
    np.savetxt(tmp_path / "a.csv", series.T, delimiter=",")
    done = run(tmp_path / "a.npy", tmp_path / "a.csv")
    npy, csv = (line.partition(": ")[2] for line in done.stdout.splitlines())
    assert npy == csv and npy.startswith(card["labels"][int(expected.argmax())]), done.stderr
    np.save(tmp_path / "b.npy", series[:2])
    assert "b.npy has 2 channels, the model takes 3" in run(tmp_path / "b.npy").stderr
    series[1, 2] = np.nan
    np.save(tmp_path / "c.npy", series)
    (tmp_path / "d.csv").write_text("")
    np.save(tmp_path / "e.npy", series[:, :0])
    for name, said in (("c.npy", "has numbers that are not finite"), ("d.csv", "it is empty"), ("e.npy", "error: ")):
        done = run(tmp_path / name)
        assert done.returncode == 1 and done.stdout == "" and said in done.stderr and "Warning" not in done.stderr
        assert "Traceback" not in done.stderr


def test_the_cpp_runner_is_cpp(bundle: Path) -> None:
    declared = Path(__file__).parent / "shipping/declared"
    command = ["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I", declared, "cpp/run.cpp"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=bundle)
    assert done.returncode == 0, done.stderr


def test_a_block_that_has_no_form_for_series_is_one_message(
    search: Call, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ConvMixer, "build", lambda self, width: torch.nn.Sequential(torch.nn.MaxPool2d(3, 1, 1)))
    assert BLOCKS.get("convmixer") is ConvMixer
    said = search("validate", folder / "space.yaml", "-o", "space.stages.0.blocks=[convmixer]")
    is_one_message(said, 3, "stage 0, block 'convmixer': a MaxPool2d has no form for series. Build the block from")


@pytest.mark.slow
def test_a_study_runs_from_the_space_to_the_files(search: Call, folder: Path, tmp_path: Path) -> None:
    db = tmp_path / "lathe.db"
    assert f"series {CHANNELS}x{STEPS}" in search("validate", folder / "space.yaml").out
    assert search("launch", folder / "space.yaml", "--db", db, "-q").code == 0
    chain = [variant for variant in load_study("waves", str(db)).variants if variant.role == "winner"]
    assert [v.step for v in chain] == ["inherit", "distill", "prune", "quantize"]
    for variant in chain:
        assert variant.architecture is not None
        arch = Architecture.from_json(variant.architecture.json)
        assert arch.input_shape == (CHANNELS, STEPS) and arch.classes == 4
    assert search("show", "waves", "--db", db).code == search("top", "waves", "--db", db).code == 0
    assert search("report", "waves", "--db", db, "--out", tmp_path / "waves.html").code == 0
    assert "test examples" in (tmp_path / "waves.html").read_text()
    assert search("export", "waves", "--db", db, "--bundle", "--out", tmp_path / "out").code == 0
    done = subprocess.run([sys.executable, "-P", tmp_path / "out/run.py"], capture_output=True, text=True, cwd="/")
    assert done.returncode == 0 and "8 examples, largest difference" in done.stdout, done.stderr
