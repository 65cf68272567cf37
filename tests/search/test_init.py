"""`search init`: a space file for one's own data that is right as it is written."""

import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from PIL import Image

from search.config.draft import draft, strides_for
from search.config.found import Found, find
from search.config.saved import save_device
from search.config.study import read_config
from search.plan import check_space
from spaces.tasks.data import DataError
from tests.search.command_line import Call, is_one_message
from tests.spaces.parquet_files import pictures, write


def photos(folder: Path, shapes: tuple[tuple[int, int], ...], mode: str = "RGB", classes: int = 2) -> Path:
    for i in range(12 * classes):
        file = folder / f"class {i % classes}" / f"{i}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new(mode, shapes[i % len(shapes)], 9 * i if mode == "L" else (9 * i, 40, 90)).save(file)
    return folder


def test_a_folder_of_photographs_becomes_a_study_that_is_right_as_written(
    search: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos(tmp_path / "my pets", ((70, 80), (90, 64), (64, 64)))
    monkeypatch.chdir(tmp_path)
    said = search("init", "my pets")
    assert said.code == 0, said.err
    assert "my-pets.yaml" in said.out and "24 examples, 2 classes, 3 x 64 x 64" in said.out
    assert "search launch my-pets.yaml" in said.err
    config = read_config(tmp_path / "my-pets.yaml")
    assert config.study == "my-pets" and [o.name for o in config.objectives] == ["loss", "latency_ms@here"]
    assert "3x64x64" in check_space(config)
    assert "path: 'my pets'" in (tmp_path / "my-pets.yaml").read_text(), "data and file can be moved together"


def test_what_is_written_is_never_written_over_without_asking(search: Call, tmp_path: Path) -> None:
    folder, out = photos(tmp_path / "pets", ((32, 32),)), tmp_path / "pets.yaml"
    out.write_text("mine")
    said = search("init", folder, "--out", out)
    assert said.code == 2 and "--force" in said.err and out.read_text() == "mine"
    assert search("init", folder, "--out", out, "--force").code == 0
    assert read_config(out).study == "pets"


def test_data_that_cannot_be_read_leaves_no_file(search: Call, tmp_path: Path) -> None:
    photos(tmp_path / "pets", ((32, 32),))
    said = search("init", tmp_path / "pest", "--out", tmp_path / "a.yaml")
    assert said.code == 3 and "Did you mean 'pets'?" in said.err
    said = search("init", tmp_path / "pets", "--device", "nowhere", "--out", tmp_path / "a.yaml")
    assert said.code != 0 and "nowhere" in said.err
    assert not (tmp_path / "a.yaml").exists()


def test_a_class_with_too_few_examples_for_all_parts_is_named_at_once(search: Call, tmp_path: Path) -> None:
    folder = photos(tmp_path / "pets", ((32, 32),))
    said = search("init", folder, "--out", tmp_path / "a.yaml")
    assert said.code == 0 and "warning" not in said.err
    (folder / "owl").mkdir()
    shutil.copy(folder / "class 0" / "0.jpg", folder / "owl" / "0.jpg")
    said = search("init", folder, "--out", tmp_path / "b.yaml")
    assert said.code == 0 and "warning: too few examples of 'owl' (1) for each of 3 parts to have one" in said.err
    told = search("validate", tmp_path / "b.yaml").out
    assert said.err.split("warning: ")[1].splitlines()[0] in told, "validate says the same"


def test_a_class_needs_an_example_less_where_the_test_part_is_apart(search: Call, tmp_path: Path) -> None:
    for part in ("train", "test"):
        photos(tmp_path / part, ((32, 32),))
    (tmp_path / "train" / "owl").mkdir()
    for i in range(2):
        shutil.copy(tmp_path / "train" / "class 0" / "0.jpg", tmp_path / "train" / "owl" / f"{i}.jpg")
    said = search("init", tmp_path, "--name", "owls", "--out", tmp_path / "a.yaml")
    assert said.code == 0 and "warning" not in said.err, said.err


def test_a_saved_device_is_named_as_it_is(search: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATHE_DEVICES", str(tmp_path / "devices.yaml"))
    save_device("pi", {"kind": "simulated"})
    out = tmp_path / "a.yaml"
    assert search("init", photos(tmp_path / "pets", ((32, 32),)), "--device", "pi", "--out", out).code == 0
    config = read_config(out)
    assert list(config.devices) == ["pi"] and config.objectives[1].name == "latency_ms@pi"


def test_parts_and_grey_images_are_seen(tmp_path: Path) -> None:
    for part in ("train", "test"):
        photos(tmp_path / part, ((28, 28),), "L")
    found = find(tmp_path)
    assert found.shape == (1, 28, 28) and found.examples == 24
    assert found.fields == {"path": str(tmp_path / "train"), "test_path": str(tmp_path / "test"), "channels": 1}


def test_columns_of_other_names_are_found(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", pictures(20), [i % 3 for i in range(20)], image="img", label="fine_label")
    found = find(file)
    assert found.kind == "parquet" and found.shape == (3, 6, 8) and (found.examples, found.classes) == (20, 3)
    assert found.fields == {"path": str(file), "label": "fine_label", "image": "img"}


def test_series_are_told_from_images(tmp_path: Path) -> None:
    x = [np.zeros((2, 20 + i % 3)).tolist() for i in range(30)]
    table = pa.table({"series": x, "label": [i % 2 for i in range(30)]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    found = find(tmp_path / "a.parquet")
    assert (found.kind, found.shape, found.fields["length"]) == ("series", (2, 22), 22)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"a": [1.0], "b": [2.0]}, "no column of labels among a, b"),
        ({"label": [1], "age": [3]}, "neither a column of encoded images nor one with lists of numbers among age"),
    ],
)
def test_a_table_without_labels_or_examples_is_said(tmp_path: Path, columns: dict[str, list], said: str) -> None:
    pyarrow.parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=said):
        find(tmp_path / "a.parquet")


def test_a_broken_image_is_said(tmp_path: Path) -> None:
    photos(tmp_path / "pets", ((32, 32),))
    (tmp_path / "pets" / "class 0" / "0.jpg").write_bytes(b"no image")
    with pytest.raises(DataError, match="not an image, but"):
        find(tmp_path / "pets")


def test_the_last_stage_sees_few_positions_whatever_the_input() -> None:
    for side in (8, 12, 28, 32, 48, 64, 96, 160, 224, 256):
        stem, strides = strides_for(side)
        assert 2 <= len(strides) <= 5 and 4 <= side / stem / np.prod(strides) <= 8, side


@pytest.mark.parametrize(("examples", "images"), [(20_000, 0), (60_000, 2000)])
def test_of_many_examples_a_part_judges_a_trial(tmp_path: Path, examples: int, images: int) -> None:
    file = tmp_path / "space.yaml"
    found = Found("parquet", {"path": "mine.parquet"}, {str(i): examples // 10 for i in range(10)}, (3, 32, 32))
    file.write_text(draft("mine", found, "here", "{kind: onnxruntime}"))
    assert read_config(file, ()).search.images == images


def test_a_file_of_arrays_with_a_test_part_becomes_a_study(search: Call, tmp_path: Path) -> None:
    arrays = {
        "train_images": pictures(40, 28, 28),
        "train_labels": np.arange(40)[:, None] % 3,
        "val_images": pictures(9, 28, 28, seed=1),
        "val_labels": np.arange(9)[:, None] % 3,
        "test_images": pictures(12, 28, 28, seed=2),
        "test_labels": np.arange(12)[:, None] % 3,
    }
    np.savez(tmp_path / "cells.npz", **arrays)
    said = search("init", tmp_path / "cells.npz", "--out", tmp_path / "cells.yaml")
    assert said.code == 0 and "40 examples, 3 classes, 3 x 28 x 28" in said.out, said.err
    data = read_config(tmp_path / "cells.yaml").task.load()
    assert data.input_shape == (3, 28, 28) and len(data.read_test().y) == 12


def test_arrays_of_series_are_told_from_images(search: Call, tmp_path: Path) -> None:
    np.savez(tmp_path / "motion.npz", signal=np.random.default_rng(0).normal(size=(40, 64, 6)), label=np.arange(40) % 3)
    said = search("init", tmp_path / "motion.npz", "--out", tmp_path / "motion.yaml")
    assert said.code == 0 and "3 classes, 6 x 64" in said.out, said.err
    assert "layout: NLC" in (tmp_path / "motion.yaml").read_text()
    assert read_config(tmp_path / "motion.yaml").task.load().input_shape == (6, 64)
    np.savez(tmp_path / "none.npz", weights=np.zeros((4, 4)))
    said = search("init", tmp_path / "none.npz", "--out", tmp_path / "none.yaml")
    assert said.code == 3 and "no array of examples with one of as many labels" in said.err


def test_arrays_whose_labels_a_study_would_refuse_leave_no_file(search: Call, tmp_path: Path) -> None:
    x, y, out = np.zeros((40, 3, 64)), np.arange(40) % 3, tmp_path / "a.yaml"
    for strange, said in ((y - 1, "row 0 has -1"), (y + 0.5, "row 0 has 0.5"), (np.eye(3)[y], "y.argmax(1)")):
        np.savez(tmp_path / "a.npz", x=x, y=strange)
        is_one_message(search("init", tmp_path / "a.npz", "--out", out), 3, said)
        assert not out.exists()


def test_a_name_that_a_study_cannot_have_is_refused_before_a_file_is_written(search: Call, tmp_path: Path) -> None:
    out = tmp_path / "a.yaml"
    said = search("init", photos(tmp_path / "pets", ((32, 32),)), "--out", out, "--name", "ünï code/../x")
    assert said.code == 2 and "got 'ünï code/../x'" in said.err and not out.exists()


@pytest.mark.parametrize("name", ["null", "true", "2024", "0x10", "1e5", "it's ${HOME}"])
def test_data_whose_name_yaml_would_read_otherwise_is_still_text(search: Call, tmp_path: Path, name: str) -> None:
    photos(tmp_path / name, ((32, 32),))
    said = search("init", tmp_path / name, "--out", tmp_path / "a.yaml")
    assert said.code == 0, said.err
    config = read_config(tmp_path / "a.yaml")
    assert config.study == ("it-s-HOME" if "$" in name else name)
    assert check_space(config).startswith("study")


def test_a_folder_that_only_wraps_the_classes_is_told_from_them(tmp_path: Path) -> None:
    photos(tmp_path / "download" / "photos" / "pets", ((32, 32),))
    with pytest.raises(DataError, match=r"lie in one folder. Did you mean '.*download/photos/pets'\?"):
        find(tmp_path / "download")
    photos(tmp_path / "cats", ((32, 32),), classes=1)
    with pytest.raises(DataError, match="one class: there is nothing to tell apart"):
        find(tmp_path / "cats")


def test_quantities_in_place_of_classes_are_said(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=pictures(40, 8, 8), y=np.arange(40))
    with pytest.raises(DataError, match="40 classes for 40 examples: too few of each"):
        find(tmp_path / "a.npz")


def test_the_next_call_can_be_pasted_whatever_the_file_is_called(search: Call, tmp_path: Path) -> None:
    out = tmp_path / "my pets.yaml"
    said = search("init", photos(tmp_path / "pets", ((32, 32),)), "--out", out)
    assert f"search launch '{out}' --dry-run" in said.err


def test_a_folder_that_cannot_be_looked_into_is_one_message(search: Call, tmp_path: Path) -> None:
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    name = "a" * 250  # a path too long for the system is refused to root as well
    deep = os.open(tmp_path / "photos" / "cat", os.O_RDONLY)
    for _ in range(17):
        os.mkdir(name, dir_fd=deep)
        deep, outer = os.open(name, os.O_RDONLY, dir_fd=deep), deep
        os.close(outer)
    os.close(deep)
    said = search("init", tmp_path / "photos", "--out", tmp_path / "photos.yaml")
    is_one_message(said, 3, "cannot be looked into")
    assert not (tmp_path / "photos.yaml").exists()
    shutil.rmtree(tmp_path / "photos")


def test_an_empty_folder_is_said_to_be_passed_over_and_a_broken_image_is_named(search: Call, tmp_path: Path) -> None:
    folder = photos(tmp_path / "pets", ((32, 32),))
    (folder / "empty").mkdir()
    said = search("init", folder, "--out", tmp_path / "a.yaml")
    assert said.code == 0 and "2 classes" in said.out and "no images in 'empty': passed over" in said.err
    broken = folder / "class 0" / "99.png"
    broken.write_bytes(b"<html>404</html>")
    said = search("init", folder, "--out", tmp_path / "b.yaml")
    is_one_message(said, 3, f"{broken} is not an image, but 16 bytes. Remove or replace it.")
    assert not (tmp_path / "b.yaml").exists()
