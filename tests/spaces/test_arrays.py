"""One's own arrays: which axes they have, which parts, and what a broken file is answered with."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spaces.tasks import Arrays
from spaces.tasks.data import DataError
from tests.spaces.parquet_files import pictures

LABELS = np.arange(20) % 2


def saved(folder: Path, **arrays: Any) -> str:
    path = folder / "data.npz"
    np.savez(path, **arrays)
    return str(path)


def rejected(path: str, **settings: Any) -> str:
    with pytest.raises(DataError) as error:
        Arrays(path, **settings).load()
    return str(error.value)


def examples(path: str, **settings: Any) -> torch.Tensor:
    """All that is read, in the order of the file."""
    data = Arrays(path, **settings).load()
    x = torch.cat([data.train.x, data.validation.x, data.read_test().x])
    return x[x.flatten(1).sum(1).argsort()]


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_images_are_the_same_whichever_axis_holds_their_channels(tmp_path: Path, layout: str) -> None:
    images = np.sort(pictures(20).reshape(20, -1), 1).reshape(20, 6, 8, 3)
    x = images if layout == "NHWC" else images.transpose(0, 3, 1, 2)
    read = examples(saved(tmp_path, x=x, y=LABELS))
    expected = torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32))
    assert torch.equal(read, expected[expected.flatten(1).sum(1).argsort()])


@pytest.mark.parametrize(
    ("shape", "layout", "seen"),
    [
        ((20, 6, 8), "NHW", (1, 6, 8)),
        ((20, 9), "", (1, 9)),
        ((20, 9, 3), "NLC", (3, 9)),
        ((20, 3, 9), "NCL", (3, 9)),
        ((20, 5, 7, 5), "NHWC", (5, 5, 7)),
    ],
)
def test_a_network_sees_channels_first(
    tmp_path: Path, shape: tuple[int, ...], layout: str, seen: tuple[int, ...]
) -> None:
    x = np.random.default_rng(0).normal(size=shape)
    data = Arrays(saved(tmp_path, x=x, y=LABELS), layout=layout).load()
    assert data.input_shape == seen
    assert data.white == (255.0 if x.max() > 1 else 1.0)


def test_axes_that_may_be_either_are_asked_for(tmp_path: Path) -> None:
    series = saved(tmp_path, x=np.zeros((20, 9, 3)), y=LABELS)
    assert "may be NHW or NCL or NLC. Write which: `layout: NHW`" in rejected(series)
    assert "has 3 axes, but `layout: NHWC` has 4" in rejected(series, layout="NHWC")
    assert "may be NHWC or NCHW" in rejected(saved(tmp_path, x=np.zeros((20, 3, 9, 3)), y=LABELS))
    with pytest.raises(ValueError, match="must be one of NHW, NHWC"):
        Arrays(series, layout="HWCN")


def test_a_test_part_of_its_own_is_read_when_it_is_asked_for(tmp_path: Path) -> None:
    images, other = pictures(20), pictures(6, seed=1)
    path = saved(tmp_path, x=images, y=LABELS[:, None], test_images=other, test_labels=np.array([0, 1, 1, 0, 0, 1]))
    data = Arrays(path, test_x="test_images", test_y="test_labels").load()
    assert len(data.train.y) + len(data.validation.y) == 20
    test = data.read_test()
    assert test.y.tolist() == [0, 1, 1, 0, 0, 1]
    assert torch.equal(test.x, torch.from_numpy(other.transpose(0, 3, 1, 2).astype(np.float32)))


def test_labels_may_be_text(tmp_path: Path) -> None:
    data = Arrays(saved(tmp_path, x=pictures(20), y=np.array(["dog", "cat"] * 10))).load()
    assert data.classes == ("cat", "dog")


def test_labels_may_be_true_and_false(tmp_path: Path) -> None:
    data = Arrays(saved(tmp_path, x=pictures(20), y=np.array([True, False] * 10))).load()
    assert data.classes == ("0", "1") and data.train.y.dtype == torch.int64


def test_what_is_wrong_with_a_file_is_said_with_its_place(tmp_path: Path) -> None:
    assert "no data file" in rejected(str(tmp_path / "nothing.npz"))
    (tmp_path / "text.npz").write_text("hello")
    assert "is not an .npz file of arrays" in rejected(str(tmp_path / "text.npz"))
    images = pictures(20)
    assert "Did you mean 'labels'?" in rejected(saved(tmp_path, x=images, labels=LABELS), y="label")
    assert "20 examples and 'y' 19 labels" in rejected(saved(tmp_path, x=images, y=LABELS[1:]))
    assert "Python objects" in rejected(saved(tmp_path, x=images, y=np.array([0, "a"] * 10, dtype=object)))
    assert "class numbers from 0" in rejected(saved(tmp_path, x=images, y=LABELS - 1))
    assert "not one label an example. Rows with a one" in rejected(saved(tmp_path, x=images, y=np.eye(20)))
    gap = np.zeros((20, 9))
    gap[7, 2] = np.nan
    assert "example 7 of 'x'" in rejected(saved(tmp_path, x=gap, y=LABELS))


def test_what_training_varies_must_fit_what_is_there(tmp_path: Path) -> None:
    assert "`shift` is not for images" in rejected(saved(tmp_path, x=pictures(20), y=LABELS), shift=2)
    assert "`flip` is not for series" in rejected(saved(tmp_path, x=np.zeros((20, 9)), y=LABELS), flip=True)
