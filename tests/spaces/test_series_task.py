"""One's own series: what is read, and what a broken file is answered with."""

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch

from spaces.tasks import Parquet, Series
from spaces.tasks.data import DataError

ROWS = 20
LABELS = ["walk" if i % 2 else "run" for i in range(ROWS)]


def numbers(channels: int = 3, length: int = 7, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(5, 2, (ROWS, channels, length)).astype(np.float32)


def write(path: Path, labels: list[Any] = LABELS, **columns: Any) -> Path:
    pyarrow.parquet.write_table(pa.table({**columns, "label": labels}), path)
    return path


def everything(settings: Series) -> torch.Tensor:
    """All examples in order, whatever part they are in."""
    data = settings.load()
    return in_order(torch.cat([data.train.x, data.validation.x, data.read_test().x]))


def in_order(x: np.ndarray | torch.Tensor) -> torch.Tensor:
    return torch.tensor(sorted(np.asarray(x).tolist()))


def rejected(path: Path, **settings: Any) -> str:
    with pytest.raises(DataError) as error:
        Series(str(path), **settings).load()
    assert str(path) in str(error.value)
    return str(error.value)


def ragged(length: int = 7) -> list[list[float]]:
    return [[float(i + 1)] * (length - i % 3) for i in range(ROWS)]


@pytest.mark.parametrize("kind", [pa.float32(), pa.float64(), pa.int16()], ids=str)
@pytest.mark.parametrize(
    "wrap", [pa.list_, pa.large_list, lambda kind: pa.list_(kind, 7)], ids=["list", "large", "fixed"]
)
def test_a_list_of_any_numbers_is_a_series_of_one_channel(tmp_path: Path, kind: Any, wrap: Any) -> None:
    x = numbers(channels=1).round()
    column = pa.array(x[:, 0].tolist(), wrap(pa.float64())).cast(wrap(kind))
    found = Series(str(write(tmp_path / "a.parquet", series=column)))
    assert torch.equal(everything(found), in_order(x))
    assert found.load().input_shape == (1, 7) and found.load().classes == ("run", "walk")


def test_channels_are_lists_in_a_list_or_columns_of_their_own(tmp_path: Path) -> None:
    x = numbers()
    nested = Series(str(write(tmp_path / "nested.parquet", series=x.tolist())))
    apart = Series(
        str(write(tmp_path / "apart.parquet", **dict(zip("xyz", x.swapaxes(0, 1).tolist(), strict=True)))),
        series="x, y, z",
    )
    assert torch.equal(everything(nested), in_order(x)) and torch.equal(everything(apart), in_order(x))


def test_the_mean_and_std_are_each_channels_own(tmp_path: Path) -> None:
    x = numbers() * np.array([1.0, 10.0, 0.1], np.float32)[:, None]
    data = Series(str(write(tmp_path / "a.parquet", series=x.tolist()))).load()
    normal = data.normalise(data.train.x)
    torch.testing.assert_close(normal.mean((0, 2)), torch.zeros(3), rtol=0, atol=1e-4)
    torch.testing.assert_close(normal.std((0, 2)), torch.ones(3))
    assert normal.unsqueeze(2).is_contiguous(memory_format=torch.channels_last)


def test_longer_series_are_cut_and_shorter_ones_filled_with_zeros(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", series=ragged())
    x = everything(Series(str(file), length=6))
    assert x.shape == (ROWS, 1, 6)
    assert x[0, 0].tolist() == [1.0] * 6 and x[1, 0].tolist() == [2.0] * 6 and x[2, 0].tolist() == [3.0] * 5 + [0.0]
    assert everything(Series(str(file), length=9))[0, 0].tolist() == [1.0] * 7 + [0.0] * 2


def test_series_of_several_lengths_are_an_error_that_says_what_to_write(tmp_path: Path) -> None:
    assert "have 5 to 7 steps. Write `length: 7`" in rejected(write(tmp_path / "a.parquet", series=ragged()))


@pytest.mark.parametrize("gap", [float("nan"), float("inf"), None])
def test_a_gap_is_named_by_its_row_and_step(tmp_path: Path, gap: float | None) -> None:
    rows: list[Any] = ragged()
    rows[4][2] = gap
    found = rejected(write(tmp_path / "a.parquet", series=rows), length=7)
    assert "row 4 of column 'series'" in found and "at step 2. Fill the gap" in found


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([1.5] * ROWS, "holds double; a series is a list of numbers"),
        (["a"] * ROWS, "holds string; a series"),
        ([["a"]] * ROWS, r"holds list<element: string>; a series"),
        ([[[[1.0]]]] * ROWS, "holds list<element: list"),
        ([[1.0]] * (ROWS - 1) + [None], "row 19 of column 'series'"),
        ([[[1.0], None]] * ROWS, "row 0 of column 'series'"),
        ([[[1.0], [2.0]]] * (ROWS - 1) + [[[1.0]]], "row 19 of column 'series' of"),
        ([[[1.0, 2.0], [2.0]]] * ROWS, "channels of row 0 of"),
        ([[]] * (ROWS - 1) + [[1.0]], "have 0 to 1 steps"),
        (pa.array([[]] * ROWS, pa.list_(pa.float32())), "are empty"),
    ],
)  # fmt: skip
def test_what_is_no_series_is_refused_with_its_place(tmp_path: Path, column: Any, expected: str) -> None:
    assert expected in rejected(write(tmp_path / "a.parquet", series=column))


def test_a_missing_column_is_answered_with_the_nearest(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", acc_x=ragged(), acc_y=ragged())
    assert "no column 'accy'. Did you mean 'acc_y'?" in rejected(file, series="acc_x, accy")


def test_series_given_as_images_are_answered_with_the_task_that_reads_them(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", image=ragged())
    with pytest.raises(DataError, match="not an image, but a list in column 'image'. Write `kind: series`"):
        Parquet(str(file)).load()


@pytest.mark.parametrize(
    "settings",
    [{"validation": 0}, {"test": 0}, {"seed": -1}, {"length": -1}, {"shift": -1}, {"noise": -0.1}, {"series": "x, x"}],
)
def test_settings_that_cannot_be_are_refused_before_reading(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"`{list(settings)[-1]}`"):
        Series("a.parquet", **settings)


def test_other_noise_is_other_data_for_a_study(tmp_path: Path) -> None:
    file = str(write(tmp_path / "a.parquet", series=numbers().tolist()))
    digests = {Series(file, noise=noise, shift=shift).load().digest for noise, shift in ((0, 0), (0.1, 0), (0, 1))}
    assert len(digests) == 3


def test_the_script_of_the_speakers_study_writes_what_the_task_reads(tmp_path: Path) -> None:
    """From a wheel with two utterances of two channels each, in the format of the archive it comes from."""
    text = "#comment\n@classLabel true 1 2\n@data\n1,2,3:4,5,6:1\n7,8:9,10:2\n"
    with zipfile.ZipFile(tmp_path / "aeon.whl", "w") as wheel:
        for part in ("TRAIN", "TEST"):
            wheel.writestr(f"aeon/datasets/data/JapaneseVowels/JapaneseVowels_{part}.ts", text)
    script = Path(__file__).parents[2] / "studies/speakers/data.py"
    subprocess.run([sys.executable, script, tmp_path / "aeon.whl", tmp_path / "out"], check=True)
    for part in ("train", "test"):
        series = Series(str(tmp_path / f"out/speakers-{part}.parquet"), length=4, validation=0.5, test=0, test_path="-")
        data = series.load()
        assert data.classes == ("speaker 1", "speaker 2")
        rows = sorted(torch.cat([data.train.x, data.validation.x]).tolist())
        assert rows == [[[1, 2, 3, 0], [4, 5, 6, 0]], [[7, 8, 0, 0], [9, 10, 0, 0]]]
