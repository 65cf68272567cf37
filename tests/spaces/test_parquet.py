"""One's own images: what is read, and what a broken file is answered with."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch

from spaces.tasks import Parquet
from spaces.tasks.data import DataError
from tests.spaces.parquet_files import pictures, png, write

ROWS = 20
LABELS = [i % 3 for i in range(ROWS)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "train.parquet", pictures(ROWS), LABELS, ["cat", "dog", "owl"])


def rejected(path: Path, **settings: Any) -> str:
    with pytest.raises(DataError) as error:
        Parquet(str(path), **settings).load()
    return str(error.value)


def test_pixels_labels_and_names_are_those_of_the_file(file: Path) -> None:
    data = Parquet(str(file), validation=0.2, test=0.2).load()
    assert data.classes == ("cat", "dog", "owl") and data.input_shape == (3, 6, 8)
    parts = [data.train, data.validation, data.read_test()]
    assert [len(part.y) for part in parts] == [12, 4, 4]
    written = {image.transpose(2, 0, 1).tobytes(): label for image, label in zip(pictures(ROWS), LABELS, strict=True)}
    read = {
        x.numpy().astype(np.uint8).tobytes(): y for part in parts for x, y in zip(part.x, part.y.tolist(), strict=True)
    }
    assert read == written


def test_without_names_the_classes_are_numbers(tmp_path: Path) -> None:
    assert Parquet(str(write(tmp_path / "a.parquet", pictures(ROWS), LABELS))).load().classes == ("0", "1", "2")


def test_columns_of_other_names_are_read(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", pictures(ROWS), LABELS, ["a", "b", "c"], image="img", label="fine_label")
    data = Parquet(str(file), image="img", label="fine_label").load()
    assert data.classes == ("a", "b", "c")


def test_grey_size_and_limit_are_obeyed(file: Path) -> None:
    data = Parquet(str(file), channels=1, size=5, limit=10).load()
    assert data.input_shape == (1, 5, 5) and len(data.train.y) == 8


def test_the_same_seed_gives_the_same_split(file: Path) -> None:
    one, same, other = (Parquet(str(file), seed=seed).load() for seed in (0, 0, 1))
    assert torch.equal(one.train.x, same.train.x) and one.digest == same.digest != other.digest


def test_a_test_file_is_opened_only_when_it_is_asked_for(file: Path, tmp_path: Path) -> None:
    later = tmp_path / "test.parquet"
    data = Parquet(str(file), test_path=str(later)).load()
    assert len(data.train.y) == 18, "nothing is held back"
    with pytest.raises(DataError, match=r"no data file .*test\.parquet"):
        data.read_test()
    write(later, pictures(5, seed=1), [0, 1, 2, 0, 1])
    assert data.read_test().y.tolist() == [0, 1, 2, 0, 1]


def test_a_label_of_the_test_file_beyond_the_classes_is_an_error(file: Path, tmp_path: Path) -> None:
    later = write(tmp_path / "test.parquet", pictures(2), [0, 7])
    data = Parquet(str(file), test_path=str(later)).load()
    with pytest.raises(DataError, match=r"test\.parquet has label 7, but .*train\.parquet has 3 classes"):
        data.read_test()


def test_a_missing_file_is_answered_with_the_nearest(file: Path) -> None:
    message = rejected(file.with_name("trian.parquet"))
    assert "trian.parquet" in message and "Did you mean 'train.parquet'?" in message
    assert "Check `task.path`" in rejected(Path("/nowhere/at/all.parquet"))


def test_a_missing_column_is_answered_with_the_nearest(file: Path) -> None:
    assert "no column 'lable'. Did you mean 'label'?" in rejected(file, label="lable")


def test_a_file_that_is_not_parquet_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("id,label\n1,2\n")
    assert "is not a Parquet file" in rejected(tmp_path / "a.parquet")


@pytest.mark.parametrize("broken", [b"", b"no image at all", png(pictures(1)[0])[:60]])
def test_a_row_that_is_not_an_image_is_named(tmp_path: Path, broken: bytes) -> None:
    images = [*map(png, pictures(ROWS - 1)), broken]
    message = rejected(write(tmp_path / "a.parquet", images, LABELS))
    kind = "a damaged image of" if len(broken) > 20 else "not an image, but"
    assert f"row 19 of {tmp_path / 'a.parquet'} is {kind} {len(broken)} bytes in column 'image'" in message


def test_a_column_of_numbers_is_not_a_column_of_images(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pa.table({"image": [1.5] * ROWS, "label": LABELS}), tmp_path / "a.parquet")
    assert "row 0" in (message := rejected(tmp_path / "a.parquet")) and "a float in column 'image'" in message


def test_images_of_different_shapes_are_an_error_that_says_how_to_resize(tmp_path: Path) -> None:
    images = [*pictures(ROWS - 1), *pictures(1, height=9)]
    file = write(tmp_path / "a.parquet", images, LABELS)
    assert re.search(r"2 shapes, e\.g\. \[\(3, 6, 8\), \(3, 9, 8\)\]\. Write `size: 32`", rejected(file))
    assert Parquet(str(file), size=6).load().input_shape == (3, 6, 6)


@pytest.mark.parametrize("label", [-1, None, 0.5])
def test_a_label_that_is_no_class_number_is_an_error(tmp_path: Path, label: Any) -> None:
    labels = [*LABELS[:-1], label]
    assert "'label'" in (message := rejected(write(tmp_path / "a.parquet", pictures(ROWS), labels)))
    assert f"must hold class numbers from 0, or text, but row {ROWS - 1} has" in message
    assert ("has none. Label it" if label is None else f"has {label}. Number the classes") in message


def test_a_text_label_that_is_missing_is_named_by_its_row(tmp_path: Path) -> None:
    labels: list[str | None] = ["owl", "cat"] * (ROWS // 2)
    labels[3] = None
    assert "row 3 has none. Label it" in rejected(write(tmp_path / "a.parquet", pictures(ROWS), labels))


def test_whole_numbers_that_are_written_as_fractions_are_told_from_quantities(tmp_path: Path) -> None:
    message = rejected(write(tmp_path / "a.parquet", pictures(ROWS), [float(label) for label in LABELS]))
    assert "row 0 has 0.0. Write integers" in message


def test_labels_may_be_text_and_the_test_file_has_no_others(tmp_path: Path) -> None:
    names = [("owl", "cat", "dog")[i % 3] for i in range(ROWS)]
    file, later = write(tmp_path / "a.parquet", pictures(ROWS), names), tmp_path / "test.parquet"
    data = Parquet(str(file), test_path=str(later)).load()
    assert data.classes == ("cat", "dog", "owl")
    write(later, pictures(2), ["owl", "dog"])
    assert data.read_test().y.tolist() == [2, 1]
    write(later, pictures(2), ["owl", "emu"])
    with pytest.raises(DataError, match=r"'label' of .*test\.parquet has 'emu', which the labels to train on have not"):
        data.read_test()


def test_a_label_beyond_the_named_classes_is_an_error(tmp_path: Path) -> None:
    message = rejected(write(tmp_path / "a.parquet", pictures(ROWS), LABELS, ["cat", "dog"]))
    assert "has label 2, but the file names 2 classes" in message


@pytest.mark.parametrize(("rows", "expected"), [(0, "has no rows"), (3, "has 3 examples: too few to split")])
def test_too_few_rows_are_an_error(tmp_path: Path, rows: int, expected: str) -> None:
    labels = pa.array(LABELS[:rows], pa.int64())
    assert expected in rejected(write(tmp_path / "a.parquet", pictures(rows), labels))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "settings", [{"validation": 0}, {"validation": 0.5, "test": 0.5}, {"test": 0}, {"test": -0.1}, {"channels": 4}]
)
def test_settings_that_cannot_be_are_refused_before_reading(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"`{list(settings)[-1]}`"):
        Parquet("a.parquet", **settings)
