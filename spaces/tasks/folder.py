"""Your own images as most people keep them: a folder with a folder of image files for each class."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from spaces.registry import nearest
from spaces.tasks.data import TASKS, Data, DataError, make_data
from spaces.tasks.pixels import decode, decode_all, stacked
from spaces.tasks.stratified import drawn
from spaces.tasks.table import Source, load_parts

PARTS = {"test", "train", "training", "val", "valid", "validation"}
ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


@TASKS.register("folder")
@dataclass(frozen=True)
class Folder:
    """path: a folder such as photos/ with photos/cat/1.jpg and photos/dog/7.png; the names of its folders are the
    classes. test_path: the same for the test part.

    validation, test, seed, limit, size, channels, crop_pixels, flip: as in the task `parquet`.
    """

    path: str
    test_path: str = ""
    validation: float = 0.1
    test: float = 0.1
    seed: int = 0
    limit: int = 0
    size: int = 0
    channels: int = 3
    crop_pixels: int = 0
    flip: bool = False

    def __post_init__(self) -> None:
        self._files()
        if self.channels not in (1, 3):
            raise ValueError(f"`channels` must be 1 (grey) or 3 (RGB), got {self.channels}.")

    def load(self) -> Data:
        """Decode the images: about 10 s for 10,000 photographs of 500 x 400 on one core."""
        return make_data(*load_parts(self._files(), self._read), self.crop_pixels, self.flip)

    def _files(self) -> Source:
        return Source(self.path, self.test_path, self.validation, self.test, self.seed, self.limit)

    def _read(
        self, path: str, limit: int, known: tuple[str, ...]
    ) -> tuple[torch.Tensor, torch.Tensor, tuple[str, ...]]:
        by_class = image_files(Path(path))
        names = known or tuple(by_class)
        strange = sorted(set(by_class) - set(names))
        if strange:
            raise DataError(f"{path} has a class {strange[0]!r}, which the folder to train on has not.")
        files = [file for files in by_class.values() for file in files]
        labels = np.repeat([names.index(name) for name in by_class], [len(files) for files in by_class.values()])
        rows = drawn(labels, limit)
        images = decode_all((partial(self._decode, files[row]) for row in rows), path)
        return stacked(images, path), torch.from_numpy(labels[rows]), names

    def _decode(self, file: Path) -> np.ndarray:
        try:
            encoded = file.read_bytes()
        except OSError as error:
            raise DataError(f"{file} cannot be read: {error.strerror}.") from error
        return decode(encoded, self.size, self.channels, str(file))


def image_files(folder: Path) -> dict[str, list[Path]]:
    """Image files by class, both in order of their names; hidden files and other files are passed over.

    Raises: DataError: where there is no such folder, it cannot be read, or nothing in it is a class.
    """
    if not folder.is_dir():
        beside = [p.name for p in folder.parent.iterdir() if p.is_dir()] if folder.parent.is_dir() else []
        close = nearest(folder.name, beside)
        raise DataError(f"no folder {folder}." + (f" Did you mean {close!r}?" if close else " Check `task.path`."))
    try:
        found = {
            each.name: sorted(
                file for file in each.rglob("*") if file.suffix.lower() in ENDINGS and not file.name.startswith(".")
            )
            for each in sorted(folder.iterdir())
            if each.is_dir() and not each.name.startswith(".")
        }
    except OSError as error:
        raise DataError(f"{error.filename or folder} cannot be looked into: {error.strerror}.") from error
    classes = {name: files for name, files in found.items() if files}
    if not classes:
        own = sum(file.suffix.lower() in ENDINGS for file in folder.iterdir())
        is_class = f" It has {own:,} images itself: if it is one class, name the folder above, {folder.parent}."
        raise DataError(
            f"{folder} has no folders with images ({', '.join(ENDINGS)}). Put the images of each class into a folder "
            f"of its own: {folder / 'cat' / '1.jpg'}, {folder / 'dog' / '1.jpg'}.{is_class if own else ''}"
        )
    if set(map(str.lower, classes)) <= PARTS:
        train, test = (next((n for n in classes if n.lower().startswith(part)), "") for part in ("train", "test"))
        raise DataError(
            f"{folder} has no classes but the parts {', '.join(classes)}. Write `path: {folder / (train or 'train')}`"
            + (f" and `test_path: {folder / test}`." if test else ".")
        )
    return classes
