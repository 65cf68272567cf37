"""What every task owes: images with labels, the same for the same config, in parts that do not overlap."""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch

from spaces.tasks import TASKS, Arrays, Data, Digits, Folder, Parquet, Series, Table, Task
from spaces.tasks.data import Split
from tests.spaces.parquet_files import pictures, png, write

SORTED = [i // 10 for i in range(40)]  # labels of a file that holds one class after the other, as many do


def parquet(folder: Path, seed: int) -> Task:
    file = folder / "train.parquet"
    if not file.exists():
        write(file, pictures(40), SORTED)
    return Parquet(str(file), seed=seed)


def arrays(folder: Path, seed: int) -> Task:
    file = folder / "arrays.npz"
    if not file.exists():
        numpy.savez(file, x=pictures(40), y=numpy.array(SORTED))
    return Arrays(str(file), seed=seed)


def folder(tmp: Path, seed: int) -> Task:
    for i, pixels in enumerate(pictures(40) if not (tmp / "c0").exists() else ()):
        (tmp / f"c{i % 4}").mkdir(exist_ok=True)
        (tmp / f"c{i % 4}" / f"{i}.png").write_bytes(png(pixels))
    return Folder(str(tmp), seed=seed)


def series(folder: Path, seed: int) -> Task:
    file = folder / "series.parquet"
    if not file.exists():
        x = torch.randn(40, 3, 9, generator=torch.Generator().manual_seed(0))
        pyarrow.parquet.write_table(pa.table({"series": x.tolist(), "label": SORTED}), file)
    return Series(str(file), seed=seed)


# How to make one of each kind for a seed. A task that is not here fails the first test below: add it.
MAKE: dict[str, Callable[[Path, int], Task]] = {
    "arrays": arrays,
    "digits": lambda _, seed: Digits(seed=seed),
    "folder": folder,
    "parquet": parquet,
    "series": series,
}
EVERY = pytest.mark.parametrize("kind", [name for name in TASKS.names() if TASKS.get(name) is not Table])  # no examples


def images(split: Split) -> list[bytes]:
    return sorted(image.numpy().tobytes() for image in split.x)


def parts(data: Data) -> list[Split]:
    return [data.train, data.validation, data.read_test()]


@EVERY
def test_the_kind_is_what_its_name_gives(kind: str, tmp_path: Path) -> None:
    assert isinstance(MAKE[kind](tmp_path, 0), TASKS.get(kind))  # type: ignore[arg-type]


@EVERY
def test_every_part_holds_images_of_one_shape_and_labels_of_known_classes(kind: str, tmp_path: Path) -> None:
    data = MAKE[kind](tmp_path, 0).load()
    for part in parts(data):
        assert len(part.x) == len(part.y) > 0
        assert part.x.shape[1:] == data.input_shape and part.x.dtype == torch.float32 and part.x.isfinite().all()
        assert part.y.dtype == torch.int64 and part.y.min() >= 0 and part.y.max() < len(data.classes)
    assert len(data.mean) == len(data.std) == data.input_shape[0] and min(data.std) > 0
    assert len(data.digest) == 64


@EVERY
def test_the_same_config_gives_the_same_data_and_another_seed_another_split(kind: str, tmp_path: Path) -> None:
    one, same, other = (MAKE[kind](tmp_path, seed).load() for seed in (0, 0, 1))
    assert one.digest == same.digest != other.digest
    assert all(torch.equal(a.x, b.x) and torch.equal(a.y, b.y) for a, b in zip(parts(one), parts(same), strict=True))
    assert images(one.validation) != images(other.validation)


@EVERY
def test_the_first_examples_of_a_part_are_of_many_classes_though_the_file_is_sorted(kind: str, tmp_path: Path) -> None:
    data = MAKE[kind](tmp_path, 0).load()
    assert len(data.train.first(8).y.unique()) > 2
    assert len(data.train.first(0).y) == len(data.train.y)


@EVERY
def test_a_limit_keeps_the_shares_of_classes_though_the_file_is_sorted(kind: str, tmp_path: Path) -> None:
    task = MAKE[kind](tmp_path, 0)
    if "limit" not in {field.name for field in fields(task)}:  # type: ignore[arg-type]
        pytest.skip("it has no limit")
    data = replace(task, limit=20).load()  # type: ignore[type-var]
    assert torch.cat([part.y for part in parts(data)]).bincount().tolist() == [5, 5, 5, 5]


@EVERY
def test_every_part_has_the_share_of_every_class(kind: str, tmp_path: Path) -> None:
    data = MAKE[kind](tmp_path, 0).load()
    counts = torch.stack([part.y.bincount(minlength=len(data.classes)) for part in parts(data)]).double()
    asked = counts.sum(1, keepdim=True) * counts.sum(0) / counts.sum()
    assert counts.min() >= 1 and (counts[1:] - asked[1:]).abs().max() < 1
    assert data.test_counts == tuple(counts[2].long().tolist())


@EVERY
def test_no_image_is_in_two_parts(kind: str, tmp_path: Path) -> None:
    data = MAKE[kind](tmp_path, 0).load()
    found = [set(images(part)) for part in parts(data)]
    assert not found[0] & found[1] and not found[0] & found[2] and not found[1] & found[2]


@EVERY
def test_statistics_are_those_of_the_training_part_alone(kind: str, tmp_path: Path) -> None:
    data = MAKE[kind](tmp_path, 0).load()
    axes = (0, *range(2, data.train.x.ndim))
    torch.testing.assert_close(torch.tensor(data.mean), data.train.x.mean(axes))
    torch.testing.assert_close(torch.tensor(data.std), data.train.x.std(axes))
