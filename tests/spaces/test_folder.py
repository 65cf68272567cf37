"""One's own images in folders: what is read, and what a broken folder is answered with."""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from spaces.tasks import Folder
from spaces.tasks.data import DataError
from spaces.tasks.pixels import decode
from tests.spaces.parquet_files import pictures, png


def photos(folder: Path, **counts: int) -> Path:
    """A folder of so many images of 8 x 6 pixels a class."""
    for seed, (name, count) in enumerate(counts.items()):
        (folder / name).mkdir(parents=True)
        for i, pixels in enumerate(pictures(count, seed=seed)):
            (folder / name / f"{i:02}.png").write_bytes(png(pixels))
    return folder


def rejected(path: Path, **settings: Any) -> str:
    with pytest.raises(DataError) as error:
        Folder(str(path), **settings).load()
    return str(error.value)


def test_folders_are_classes_and_every_image_is_read_once(tmp_path: Path) -> None:
    folder = photos(tmp_path / "pets", dog=12, cat=8)
    data = Folder(str(folder), validation=0.2, test=0.2).load()
    assert data.classes == ("cat", "dog") and data.input_shape == (3, 6, 8)
    parts = [data.train, data.validation, data.read_test()]
    assert [len(part.y) for part in parts] == [12, 4, 4]
    read = {
        x.numpy().astype(np.uint8).tobytes(): y for part in parts for x, y in zip(part.x, part.y.tolist(), strict=True)
    }
    written = {
        image.transpose(2, 0, 1).tobytes(): label
        for label, (count, seed) in enumerate(((8, 1), (12, 0)))
        for image in pictures(count, seed=seed)
    }
    assert read == written


def test_other_files_and_hidden_ones_are_passed_over_and_folders_inside_a_class_are_not(tmp_path: Path) -> None:
    folder = photos(tmp_path / "pets", cat=5, dog=5)
    (folder / "README.txt").write_text("about")
    (folder / "cat" / "notes.txt").write_text("about")
    (folder / "cat" / "._00.png").write_bytes(b"what a Mac leaves behind")
    (folder / ".cache").mkdir()
    (folder / "dog" / "more").mkdir()
    (folder / "dog" / "more" / "A.PNG").write_bytes(png(pictures(1, seed=7)[0]))
    data = Folder(str(folder)).load()
    assert sum(len(part.y) for part in (data.train, data.validation, data.read_test())) == 11


def test_a_limit_keeps_the_shares_of_the_classes(tmp_path: Path) -> None:
    data = Folder(str(photos(tmp_path / "pets", cat=9, dog=9, owl=3)), limit=12).load()
    labels = [y for part in (data.train, data.validation, data.read_test()) for y in part.y.tolist()]
    assert sorted(labels) == [0] * 5 + [1] * 5 + [2] * 2


def test_large_photographs_of_any_shape_become_one_size(tmp_path: Path) -> None:
    for name, value in (("dark", 30), ("light", 220)):
        (tmp_path / name).mkdir()
        for i in range(5):
            Image.new("RGB", (300 + 10 * i, 200), (value, value, value)).save(tmp_path / name / f"{i}.jpg")
    assert "5 shapes" in (message := rejected(tmp_path)) and "Write `size: 32`" in message
    data = Folder(str(tmp_path), size=16, channels=1).load()
    assert data.input_shape == (1, 16, 16)
    means = {label: x.mean().item() for x, label in zip(data.train.x, data.train.y.tolist(), strict=True)}
    assert means == pytest.approx({0: 30, 1: 220}, abs=2)


def test_a_test_folder_is_opened_only_when_it_is_asked_for_and_has_no_new_classes(tmp_path: Path) -> None:
    folder, later = photos(tmp_path / "train", cat=10, dog=10), tmp_path / "later"
    data = Folder(str(folder), test_path=str(later)).load()
    with pytest.raises(DataError, match="no folder .*later"):
        data.read_test()
    photos(later, dog=3)
    assert data.read_test().y.tolist() == [1, 1, 1]
    photos(later, fox=1)
    with pytest.raises(DataError, match="later has a class 'fox', which the folder to train on has not"):
        data.read_test()


def test_an_image_that_is_none_is_named(tmp_path: Path) -> None:
    folder = photos(tmp_path / "pets", cat=5, dog=5)
    (folder / "dog" / "99.jpg").write_bytes(b"<html>404</html>")
    assert rejected(folder) == f"{folder / 'dog' / '99.jpg'} is not an image, but 16 bytes. Remove or replace it."


def test_all_images_that_are_none_are_named_at_once(tmp_path: Path) -> None:
    folder = photos(tmp_path / "pets", cat=5, dog=5)
    whole = (folder / "dog" / "00.png").read_bytes()
    for number in range(90, 102):
        (folder / "dog" / f"{number}.png").write_bytes(whole[: number - 40])
    bomb = bytearray(whole)
    bomb[16:24] = b"\0\1\0\0" * 2  # a width and height of 65,536 in 70 bytes
    bomb[29:33] = zlib.crc32(bomb[12:29]).to_bytes(4, "big")
    (folder / "cat" / "bomb.png").write_bytes(bomb)
    message = rejected(folder)
    assert message.startswith(f"13 of 23 images of {folder} cannot be read. Remove or replace them:\n")
    assert "bomb.png is a damaged image" in message and message.endswith("and 3 more")


def test_sixteen_bits_a_pixel_keep_their_shades_and_fractions_are_refused(tmp_path: Path) -> None:
    folder = photos(tmp_path / "pets", cat=5, dog=5)
    shades = np.linspace(0, 65535, 64).reshape(8, 8)
    Image.fromarray(shades.astype(np.uint16)).save(folder / "cat" / "a.png")
    for channels in (1, 3):
        data = Folder(str(folder), size=8, channels=channels, validation=0.2, test=0.2).load()
        x = torch.cat([data.train.x, data.validation.x, data.read_test().x])
        assert any((image[0].flatten() == torch.tensor(shades.ravel() // 256)).all() for image in x)
    Image.fromarray(shades.astype(np.float32)).save(folder / "cat" / "a.tif")
    assert "has pixels with a fraction. Write them with 8 or 16 bits." in rejected(folder, size=8)


def test_a_photo_is_turned_as_it_was_taken(tmp_path: Path) -> None:
    """A telephone held upright writes a lying picture and says in its EXIF how to turn it."""
    upright = pictures(1, seed=3)[0]
    orientation = Image.Exif()
    orientation[0x0112] = 6  # turn by 90 degrees clockwise to see it as it was
    lying = Image.fromarray(np.rot90(upright))
    lying.save(tmp_path / "photo.png", exif=orientation)
    found = decode((tmp_path / "photo.png").read_bytes(), 0, 3, "photo.png")
    assert (found == upright.transpose(2, 0, 1)).all()


def test_a_missing_folder_is_answered_with_the_nearest(tmp_path: Path) -> None:
    photos(tmp_path / "pets", cat=5, dog=5)
    assert "Did you mean 'pets'?" in rejected(tmp_path / "pest")
    assert "Check `task.path`" in rejected(Path("/nowhere/at/all"))


def test_images_without_folders_of_classes_are_answered_with_how_to_lay_them_out(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(png(pictures(1)[0]))
    assert f"{tmp_path / 'cat' / '1.jpg'}" in rejected(tmp_path)


def test_parts_that_were_taken_for_classes_are_answered_with_the_paths_to_write(tmp_path: Path) -> None:
    for part in ("train", "test"):
        photos(tmp_path / part, cat=5, dog=5)
    message = rejected(tmp_path)
    assert f"`path: {tmp_path / 'train'}` and `test_path: {tmp_path / 'test'}`" in message


def test_one_class_alone_is_refused(tmp_path: Path) -> None:
    assert "have one class: there is nothing to tell apart" in rejected(photos(tmp_path / "pets", cat=20))


def test_a_shift_that_leaves_nothing_of_an_image_is_refused(tmp_path: Path) -> None:
    folder = photos(tmp_path / "pets", cat=9, dog=9)
    message = rejected(folder, size=16, crop_pixels=16)
    assert "`crop_pixels` must be less than the 16 pixels of an example, got 16. Write 2." in message
    assert Folder(str(folder), size=16, crop_pixels=15).load().crop_pixels == 15


def test_the_folder_of_one_class_is_answered_with_the_folder_of_all(tmp_path: Path) -> None:
    folder = photos(tmp_path / "pets", cat=9, dog=7)
    message = rejected(folder / "dog")
    assert f"It has 7 images itself: if it is one class, name the folder above, {folder}." in message
    (tmp_path / "empty").mkdir()
    assert "images itself" not in rejected(tmp_path / "empty")
