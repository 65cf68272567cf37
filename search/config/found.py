"""What a folder or a file of one's own holds, from a look at some of it: the task to read it with."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spaces.registry import nearest
from spaces.tasks.arrays import ONE_LABEL, channels_first, guess_layout, read_classes
from spaces.tasks.data import DataError, check_classes
from spaces.tasks.folder import PARTS, image_files
from spaces.tasks.npz import array_shapes, read_arrays
from spaces.tasks.table import read_labels, read_table

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

LOOKED_AT = 64  # images or series, spread over the data
LABELS = ("label", "labels", "class", "target", "y", "fine_label", "coarse_label", "category")
SIDES = (32, 48, 64)  # images of many shapes become the largest of these that most of them have


@dataclass(frozen=True)
class Found:
    """A task's kind and fields; {class: examples}, in order; (channels, height, width) or (channels, length)."""

    kind: str
    fields: dict[str, Any]
    counts: dict[str, int]
    shape: tuple[int, ...]
    passed_over: tuple[str, ...] = ()

    @property
    def examples(self) -> int:
        """How many there are."""
        return sum(self.counts.values())

    @property
    def classes(self) -> int:
        """How many there are, those without an example among them."""
        return len(self.counts)


def find(path: Path) -> Found:
    """Look at `path`: a folder of folders of images, or a file of images or series. Raises: DataError."""
    try:
        found = _found(path)
    except OSError as error:
        raise DataError(f"{error.filename or path} cannot be read: {error.strerror}.") from error
    deeper = _classes_below(path) if found.kind == "folder" and found.classes < 2 else None
    if deeper:
        raise DataError(f"all images of {path} lie in one folder. Did you mean {str(deeper)!r}?")
    check_classes(found.examples, found.classes, str(path))
    return found


def _found(path: Path) -> Found:
    if path.is_dir():
        return _folder(path)
    if not path.exists():
        beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        close = nearest(path.name, beside)
        raise DataError(f"there is no {path}." + (f" Did you mean {close!r}?" if close else ""))
    if path.suffix.lower() in (".parquet", ".pq"):
        return _table(path)
    if path.suffix.lower() == ".npz":
        return _arrays(path)
    raise DataError(
        f"{path} is neither a folder of images nor a Parquet file (.parquet) nor one of arrays (.npz), "
        f"which is what a study reads. numpy.savez('{path.stem}.npz', x=x, y=y) writes examples with their labels."
    )


def _folder(path: Path) -> Found:
    inside = {p.name.lower(): p for p in sorted(path.iterdir()) if p.is_dir() and not p.name.startswith(".")}
    train = next((inside[name] for name in ("train", "training") if name in inside), None)
    test = next((inside[name] for name in ("test", "val", "valid", "validation") if name in inside), None)
    is_parted = train is not None and set(inside) <= PARTS
    source = train if train is not None and is_parted else path
    by_class = image_files(source)
    files = [file for files in by_class.values() for file in files]
    fields: dict[str, Any] = {"path": str(source)}
    if is_parted and test is not None:
        fields["test_path"] = str(test)
    shape, size = _pictures([(str(file), file.read_bytes()) for file in _spread(files)])
    empty = tuple(p.name for p in sorted(source.iterdir()) if p.is_dir() and p.name not in by_class)
    hidden = tuple(name for name in empty if not name.startswith("."))
    counts = {name: len(each) for name, each in by_class.items()}
    return Found("folder", {**fields, **size}, counts, shape, hidden)


def _classes_below(path: Path) -> Path | None:
    """The nearest folder inside that has two classes or more: archives like to wrap all in one folder."""
    while True:
        try:
            by_class = image_files(path)
        except DataError:
            return None
        if len(by_class) > 1:
            return path
        path = path / next(iter(by_class))


def _table(path: Path) -> Found:
    columns = _columns(path)
    label = next((name for name in LABELS if name in columns), "") or next(
        (name for name, kind in columns.items() if str(kind) in ("string", "large_string")), ""
    )
    if not label:
        raise DataError(f"{path} has no column of labels among {', '.join(columns)}. Call it `label`.")
    content = {name: kind for name, kind in columns.items() if name != label}
    image = next((name for name, kind in content.items() if _is_encoded(kind)), "")
    series = next((name for name, kind in content.items() if "list" in str(kind)), "")
    if not image and not series:
        raise DataError(
            f"{path} has neither a column of encoded images nor one with lists of numbers among {', '.join(content)}."
        )
    labels = read_table(str(path), (label,))
    counts = _counted(*read_labels(labels, label, str(path)))
    rows = read_table(str(path), (image or series,)).column(0).slice(0, LOOKED_AT).to_pylist()
    named = {} if label == "label" else {"label": label}
    if image:
        encoded = [row["bytes"] if isinstance(row, dict) else row for row in rows]
        shape, size = _pictures([(f"row {i} of {path}", one) for i, one in enumerate(encoded)])
        named |= {} if image == "image" else {"image": image}
        return Found("parquet", {"path": str(path), **named, **size}, counts, shape)
    nested = bool(rows[0]) and isinstance(rows[0][0], list)
    lengths = {len(row[0]) if nested else len(row) for row in rows}
    named |= {} if series == "series" else {"series": series}
    length = {"length": max(lengths)} if len(lengths) > 1 else {}
    shape = (len(rows[0]) if nested else 1, max(lengths))
    return Found("series", {"path": str(path), **named, **length}, counts, shape)


def _arrays(path: Path) -> Found:
    shapes = array_shapes(str(path))
    x_name, y_name = _pair({name: shape for name, shape in shapes.items() if not _is_aside(name)})
    if not x_name:
        listed = ", ".join(f"{name} ({' x '.join(map(str, shape))})" for name, shape in shapes.items())
        raise DataError(f"{path} has no array of examples with one of as many labels, but {listed}. {ONE_LABEL}")
    x, y = read_arrays(str(path), (x_name, y_name))
    layout = _layout(x, x_name)
    test_x, test_y = _pair({name: shape for name, shape in shapes.items() if "test" in name.lower()})
    named = {"x": x_name, "y": y_name, "test_x": test_x, "test_y": test_y}
    fields = {"path": str(path)} | {key: name for key, name in named.items() if name not in ("", key)}
    shape = channels_first(x[:1], layout, x_name, str(path)).shape[1:]
    counts = _counted(*read_classes(y, y_name, str(path)))
    return Found("arrays", {**fields, "layout": layout}, counts, shape)


def _counted(labels: torch.Tensor, classes: Sequence[str]) -> dict[str, int]:
    """{class: examples}, in the order of the classes."""
    return dict(zip(classes, labels.bincount(minlength=len(classes)).tolist(), strict=True))


def _is_aside(name: str) -> bool:
    """Whether an array belongs to a part that is not trained on."""
    return any(part in name.lower() for part in ("test", "val"))


def _pair(shapes: dict[str, tuple[int, ...]]) -> tuple[str, str]:
    """Names of the first array of examples and of one with a label for each, or two empty ones."""
    for x, shape in shapes.items():
        for y, other in shapes.items():
            if len(shape) > 1 and len(other) > 0 and math.prod(shape) > shape[0] == math.prod(other):
                return x, y
    return "", ""


def _layout(x: np.ndarray, name: str) -> str:
    """As the task guesses it; of three axes that are no images the longer one is time, and most often that is right."""
    if x.ndim == 3 and x.dtype != np.uint8:
        return "NLC" if x.shape[1] > x.shape[2] else "NCL"
    return guess_layout(x, name)


def _columns(path: Path) -> dict[str, pa.DataType]:
    import pyarrow.parquet

    try:
        schema = pyarrow.parquet.read_schema(path)
    except (OSError, pyarrow.ArrowException):
        read_table(str(path), ())  # which says what is wrong
        raise
    return dict(zip(schema.names, schema.types, strict=True))


def _is_encoded(kind: Any) -> bool:
    return "binary" in str(kind)  # alone, or as the `bytes` of a struct


def _spread(files: Sequence[Path]) -> list[Path]:
    return list(files[:: max(1, len(files) // LOOKED_AT)][:LOOKED_AT])


def _pictures(encoded: Sequence[tuple[str, bytes]]) -> tuple[tuple[int, int, int], dict[str, int]]:
    """Images with their names -> (the shape of what a network will see, the fields that make it so)."""
    from PIL import Image

    images = list[tuple[int, int, str]]()
    for what, one in encoded:
        try:
            image = Image.open(io.BytesIO(one))
        except (OSError, TypeError, ValueError, Image.DecompressionBombError) as error:
            size = f"{len(one)} bytes" if one else "empty"
            raise DataError(f"{what} is not an image, but {size}. Remove or replace it.") from error
        images.append((*image.size, image.mode))
    channels = 1 if all(mode in ("1", "L", "I", "I;16") for *_, mode in images) else 3
    fields = {"channels": 1} if channels == 1 else {}
    sizes = {(width, height) for width, height, _ in images}
    width, height = next(iter(sizes))
    if len(sizes) == 1 and max(width, height) <= 96:
        return (channels, height, width), fields
    shorter = sorted(min(width, height) for width, height, _ in images)[len(images) // 2]
    side = max((one for one in SIDES if one <= shorter), default=max(8, shorter))
    return (channels, side, side), {"size": side, **fields}
