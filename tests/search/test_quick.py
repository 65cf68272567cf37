"""`search launch --quick`: a first look at one's own data, by overrides that are printed."""

import shlex
from pathlib import Path

import numpy as np
import pytest

from search.config.quick import Amount, quick_overrides
from search.config.study import read_config
from tests.search.command_line import Call
from tests.search.finished_study import TINY

LONG = TINY.read_text().replace("{epochs: 2, batch", "{epochs: 90, batch").replace("trials: 12", "trials: 500")
FEW, MANY = Amount(1400, 10, 1e6), Amount(8000, 10, 3e7)


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "space.yaml"
    file.write_text(text)
    return file


def printed(err: str) -> list[str]:
    line = next(line for line in err.splitlines() if line.startswith("--quick is"))
    return [word for word in shlex.split(line)[2:] if word != "-o"]


def test_what_quick_prints_can_be_pasted_in_its_place(search: Call, tmp_path: Path) -> None:
    file = written(tmp_path, LONG)
    said = search("launch", file, "--quick", "--dry-run")
    assert said.code == 0, said.err
    given = printed(said.err)
    assert "study=tiny-quick" in given and "search.trials=16" in given
    pasted = search("launch", file, "--dry-run", *(word for each in given for word in ("-o", each)))
    assert pasted.out.splitlines()[:5] == said.out.splitlines()[:5]
    assert "16 trials with" in pasted.out


def test_what_the_user_overrides_is_theirs_and_not_turned_down(search: Call, tmp_path: Path) -> None:
    file = written(tmp_path, LONG)
    own = (
        "-o",
        "study=mine",
        "-o",
        "search.calibration=30",
        "-o",
        "search.exports=44",
        "-o",
        "compress.steps=[quantize]",
    )
    said = search("launch", file, "--quick", "--dry-run", *own)
    assert said.code == 0, said.err
    names = {each.partition("=")[0] for each in printed(said.err)}
    assert "search.trials" in names and not names & {"study", "search.calibration", "search.exports"}
    assert not any(name.startswith("compress.steps") for name in names)
    assert "study       mine" in said.out


@pytest.mark.parametrize(("exports", "calibration"), [(10, 8), (6, 6), (44, 8)])
def test_exports_of_the_user_bring_a_calibration_that_fits_them(
    search: Call, tmp_path: Path, exports: int, calibration: int
) -> None:
    file = written(tmp_path, LONG.replace("calibration: 8, exports: 14", "calibration: 20, exports: 40"))
    assert read_config(file).search.calibration == 20
    own = "-o", f"search.exports={exports}"
    said = search("launch", file, "--quick", "--dry-run", *own)
    assert said.code == 0, said.err
    given = printed(said.err)
    assert f"search.calibration={calibration}" in given and not any("exports" in each for each in given)
    pasted = read_config(file, [*given, own[1]])
    assert (pasted.search.exports, pasted.search.calibration) == (exports, calibration)


def test_exports_too_few_for_any_calibration_are_refused_as_ever(search: Call, tmp_path: Path) -> None:
    said = search("launch", written(tmp_path, LONG), "--quick", "--dry-run", "-o", "search.exports=3")
    assert said.code != 0 and "`exports` must be at least `calibration`" in said.err


def test_nothing_is_turned_up(tmp_path: Path) -> None:
    assert quick_overrides(read_config(TINY), FEW) == [
        "study=tiny-quick", "supernet.minutes=1", "search.images=300"
    ]  # fmt: skip


def test_only_large_data_is_limited(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((40, 8, 8), np.uint8), y=np.arange(40) % 2)
    config = read_config(TINY, [f"task={{kind: arrays, path: {tmp_path / 'a.npz'}}}"])
    assert not any(each.startswith("task.limit=") for each in quick_overrides(config, FEW))
    (limit,) = (each for each in quick_overrides(config, MANY) if each.startswith("task.limit="))
    assert 500 <= int(limit.partition("=")[2]) <= 4000


@pytest.mark.parametrize(
    ("steps", "turned"),
    [
        ("[distill]", "compress.steps.0={distill: {epochs: 1}}"),
        ("[{train: {epochs: 9, lr: 0.1}}]", "compress.steps.0.train.epochs=1"),
        ("[{prune: {epochs: 1, latency: 0.6}}]", "compress.steps.0={prune: {epochs: 1}}"),
        ("[{prune: {latency: 0.6, width: true}}]", "compress.steps.0={prune: {width: true, epochs: 1}}"),
        ("[quantize, {distill: {epochs: 20, assistant: auto}}]", "compress.steps.1.distill.epochs=4"),
    ],
)
def test_a_step_trains_for_as_few_epochs_as_it_can(steps: str, turned: str) -> None:
    given = [f"compress.steps={steps}"]
    found = quick_overrides(read_config(TINY, given), MANY)
    assert [each for each in found if "steps" in each] == [turned]
    assert read_config(TINY, [*given, *found]).study == "tiny-quick"


def test_a_long_name_still_names_a_study() -> None:
    config = read_config(TINY, [f"study={'a' * 64}"])
    assert read_config(TINY, quick_overrides(config, MANY)).study == "a" * 58 + "-quick"
