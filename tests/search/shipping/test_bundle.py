"""A bundle is whole, says what it is, and gives the expected answers where Lathe is not installed."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch

from compress.measurement import Measurement
from search.errors import LatheError
from search.latency.files import files_in
from search.shipping.export import card_of, preprocessing_of, write_export
from search.shipping.model_card import _files
from search.state.facts import Facts, facts_of
from search.state.ledger import Ledger
from search.state.records import ArchitectureRecord, VariantRecord
from spaces.tasks import Digits
from tests.search.finished_study import Finished
from tests.search.recorded_study import record_study


def run(python: Path | str, *arguments: Path | str) -> subprocess.CompletedProcess[str]:
    """The bundle's runner, from another folder and without the checkout on its path."""
    command = [str(python), "-P", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd="/")


def test_every_file_is_in_the_sums_and_has_them(bundle: Path) -> None:
    lines = [line.split("  ") for line in (bundle / "SHA256SUMS").read_text().splitlines()]
    on_disk = {str(file.relative_to(bundle)) for file in bundle.rglob("*") if file.is_file()}
    assert {name for _, name in lines} == on_disk - {"SHA256SUMS"}
    for sha256, name in lines:
        assert hashlib.sha256((bundle / name).read_bytes()).hexdigest() == sha256


def test_the_card_has_what_a_program_must_know(bundle: Path) -> None:
    card = json.loads((bundle / "card.json").read_text())
    assert card["labels"] == [str(digit) for digit in range(10)]
    assert (bundle / "labels.txt").read_text().split() == card["labels"]
    given = card["preprocessing"]
    assert given["shape"] == [1, 8, 8] and given["colour"] == "grey" and given["white"] == 16
    assert given["mean"][0] == pytest.approx(4.9, abs=0.2)
    assert set(card["test"]["files"]) == set(card["files"])


def test_the_model_card_tells_data_metrics_steps_hardware_and_licences(bundle: Path) -> None:
    text = (bundle / "MODEL_CARD.md").read_text()
    for part in ("## Data", "1,079 examples to train", "CC BY 4.0", "## Measured on", "formula (simulated)"):
        assert part in text
    assert "## Each class" in text and len(re.findall(r"\| [0-9] \| [0-9.]+ % \[.*\] \| \d+ of \d+ \|", text)) == 10
    for step in ("inherit", "distill", "prune", "quantize"):
        assert f"**{step}**" in text
    assert "of 359 examples" in text and "/tmp" not in text
    assert "resized (bilinear) and not cropped" in text


def test_both_cards_tell_the_judging_devices_latency_of_most_sessions() -> None:
    """`search tune` measures again what may ship; the numbers of a second device come behind those that judge."""
    architecture = ArchitectureRecord("a" * 64, "{}", 1, 1, 1)
    measured = [
        Measurement("latency_ms", ms, "ms", ms, ms, "measured", device=name, fingerprint=name, details={"sessions": n})
        for name, ms, n in (("judge", 0.4, 1), ("other", 9.0, 3), ("judge", 0.5, 3))
    ]
    record = VariantRecord(
        "a" * 64, "winner", "prune", {}, "float32", "accepted", measurements=tuple(measured), architecture=architecture
    )
    assert card_of(record)["costs"]["latency_ms"]["value"] == 0.5
    assert "| 0.5 ms |" in _files([record], {"files": {"x.onnx": {}}})


def test_the_runner_repeats_the_test_input_with_both_precisions(bundle: Path) -> None:
    for model in json.loads((bundle / "card.json").read_text())["files"]:
        done = run(sys.executable, bundle / "run.py", "--model", model)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"{model}: 8 examples, largest difference" in done.stdout


def test_measuring_a_bundle_is_measuring_its_models_the_shipped_one_first(bundle: Path) -> None:
    card = json.loads((bundle / "card.json").read_text())
    assert files_in(bundle) == [bundle / name for name in card["files"]]
    assert files_in(bundle)[0].name == card["shipped"] and len(card["files"]) == 2


def test_the_runner_notices_a_wrong_answer(bundle: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(bundle, tmp_path / "copy")
    (expected,) = copy.glob("test/*.float32.expected.f32")
    right = np.fromfile(expected, "<f4")
    for wrong in (right + 0.1, right * np.float32("nan")):
        wrong.tofile(expected)
        assert run(sys.executable, copy / "run.py", "--model", "tiny.float32.onnx").returncode == 1


def test_the_runner_names_what_is_on_an_image(bundle: Path, tmp_path: Path) -> None:
    from PIL import Image

    image = np.fromfile(bundle / "test/input.f32", "<f4").reshape(8, 8, 8)[0]
    pixels, turned = (image * (255 / 16)).round().astype(np.uint8), Image.Exif()
    turned[0x0112] = 6  # a photo that says in its EXIF how to turn it is the same digit
    Image.fromarray(pixels).save(tmp_path / "digit.png")
    Image.fromarray(np.rot90(pixels)).save(tmp_path / "lying.png", exif=turned)
    done = run(sys.executable, bundle / "run.py", tmp_path / "digit.png", tmp_path / "lying.png")
    answers = np.fromfile(next(bundle.glob("test/*.float32.expected.f32")), "<f4").reshape(8, 10)
    first, second = done.stdout.splitlines()
    assert first.startswith(f"{tmp_path / 'digit.png'}: {answers[0].argmax()} "), done.stderr
    assert second == first.replace("digit.png", "lying.png")


def test_the_runner_takes_raw_pixels_and_says_when_no_image_file_has_the_channels(bundle: Path, tmp_path: Path) -> None:
    image = np.fromfile(bundle / "test/input.f32", "<f4").reshape(8, 1, 8, 8)[0]
    np.save(tmp_path / "digit.npy", image)
    np.save(tmp_path / "wide.npy", image.repeat(2, 2))
    answers = np.fromfile(next(bundle.glob("test/*.float32.expected.f32")), "<f4").reshape(8, 10)
    said = run(sys.executable, bundle / "run.py", tmp_path / "digit.npy").stdout
    assert said.startswith(f"{tmp_path / 'digit.npy'}: {answers[0].argmax()} ")
    said = run(sys.executable, bundle / "run.py", tmp_path / "wide.npy").stderr
    assert "has the shape [1, 8, 16], the model takes [1, 8, 8]" in said
    copy = shutil.copytree(bundle, tmp_path / "copy")
    card = json.loads((copy / "card.json").read_text())
    card["preprocessing"]["shape"] = [4, 8, 8]
    (copy / "card.json").write_text(json.dumps(card))
    said = run(sys.executable, copy / "run.py", "digit.png").stderr
    assert said == "error: the model takes 4 channels, give raw pixels as .npy of (channels, height, width)\n"


@pytest.mark.parametrize(("channels", "colour"), [(1, "grey"), (3, "RGB"), (4, "4-channel")])
def test_the_card_calls_grey_only_what_has_one_channel(channels: int, colour: str) -> None:
    facts = replace(facts_of(Digits().load()), images=np.zeros((8, channels, 8, 8), np.float32))
    assert preprocessing_of(facts)["colour"] == colour


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nosuch.png",), 1, "error: nosuch.png cannot be read: "),
        (("card.json",), 1, "error: card.json cannot be read: cannot identify image file"),
        (("--model", "nosuch.onnx"), 2, "invalid choice: 'nosuch.onnx'"),
        (("--budget", "fast"), 2, "invalid float value: 'fast'"),
        (("--budget", "1e-9"), 1, "error: no model keeps 1e-09 ms"),
    ],
)
def test_the_runner_answers_nonsense_with_one_message(
    bundle: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = subprocess.run(
        [sys.executable, "run.py", *arguments], cwd=bundle, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == code and said in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_runner_needs_only_onnxruntime_and_numpy(bundle: Path, tmp_path: Path) -> None:
    venv.create(tmp_path, with_pip=True)
    wanted = [f"{name}=={metadata.version(name)}" for name in ("onnxruntime", "numpy")]
    subprocess.run([tmp_path / "bin/python", "-m", "pip", "install", "--quiet", *wanted], check=True)
    for model in json.loads((bundle / "card.json").read_text())["files"]:
        done = run(tmp_path / "bin/python", bundle / "run.py", "--model", model)
        assert done.returncode == 0, done.stdout + done.stderr
    assert run(tmp_path / "bin/python", "-c", "import torch").returncode == 1


def test_a_zip_is_one_file_with_the_same_content(bundle: Path, finished: Finished, tmp_path: Path) -> None:
    with Ledger.open(finished.db, create=False) as ledger:
        paths = write_export(ledger, "tiny", tmp_path / "tiny", bundle=True, archive=True)
    assert paths == [tmp_path / "tiny.zip"] == list(tmp_path.iterdir())
    with zipfile.ZipFile(paths[0]) as archive:
        assert archive.read("tiny/SHA256SUMS") == (bundle / "SHA256SUMS").read_bytes()


def test_a_failed_bundle_leaves_nothing_behind(finished: Finished, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where the folder should be")
    with Ledger.open(finished.db, create=False) as ledger, pytest.raises(LatheError, match="Check the folder"):
        write_export(ledger, "tiny", tmp_path / "taken" / "out", bundle=True)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_study_without_facts_says_how_to_add_them(url: str, tmp_path: Path) -> None:
    record_study(url, "old")
    with Ledger.open(url) as ledger, pytest.raises(LatheError, match="search resume old"):
        write_export(ledger, "old", tmp_path / "out", bundle=True)
    assert not (tmp_path / "out").exists()


def test_facts_come_back_as_they_were() -> None:
    facts = facts_of(Digits().load())
    again = Facts.from_bytes(facts.to_bytes())
    assert again.to_bytes() == facts.to_bytes()
    assert again.classes == facts.classes and again.mean == facts.mean
    assert torch.equal(torch.from_numpy(again.images), torch.from_numpy(facts.images))
