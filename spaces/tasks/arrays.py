"""Your own arrays, as numpy.savez writes them: images or series with labels in one `.npz` file.

Files of MedMNIST and Keras are of this kind. Source: numpy.lib.format, "A Simple File Format for NumPy Arrays".
"""

from dataclasses import dataclass

import numpy as np
import torch

from spaces.registry import nearest
from spaces.tasks.data import TASKS, Data, DataError, make_data
from spaces.tasks.npz import read_arrays
from spaces.tasks.stratified import drawn
from spaces.tasks.table import Source, labels_of, load_parts

LAYOUTS = ["NHW", "NHWC", "NCHW", "NL", "NCL", "NLC"]  # N examples, C channels, height and width, or length
ONE_LABEL = "Rows with a one at the class become labels by y.argmax(1)."
CHANNELS = (1, 3, 4)  # of images; an axis of another size is height or width


@TASKS.register("arrays")
@dataclass(frozen=True)
class Arrays:
    """path: a `.npz` file. x, y: its arrays of examples and labels. test_x, test_y: those of the test part; without
    them a fraction `test` is kept aside. layout: the axes of x, such as NHWC or NCL; "" where they are plain to see.

    validation, test, seed, limit, crop_pixels, flip: as in the task `parquet`; shift, noise: as in `series`. Labels are
    class numbers from 0, or text.
    """

    path: str
    x: str = "x"
    y: str = "y"
    test_x: str = ""
    test_y: str = ""
    layout: str = ""
    validation: float = 0.1
    test: float = 0.1
    seed: int = 0
    limit: int = 0
    crop_pixels: int = 0
    flip: bool = False
    shift: int = 0
    noise: float = 0.0

    def __post_init__(self) -> None:
        self._files()
        if self.layout and self.layout not in LAYOUTS:
            close = nearest(self.layout.upper(), LAYOUTS) or "NHWC"
            raise ValueError(f"`layout` must be one of {', '.join(LAYOUTS)}, got {self.layout!r}. Write {close}.")
        if bool(self.test_x) != bool(self.test_y):
            raise ValueError("`test_x` and `test_y` go together. Write both, or neither.")
        for name in ("crop_pixels", "shift", "noise"):
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` must not be negative, got {getattr(self, name)}.")

    def load(self) -> Data:
        """Read the arrays: about a second for 50,000 images of 32 x 32."""
        parts = load_parts(self._files(), self._read)
        is_image = parts.train.x.ndim == 4
        strange = ("shift", "noise") if is_image else ("crop_pixels", "flip")
        for name in strange:
            if getattr(self, name):
                found = "images" if is_image else "series"
                raise DataError(f"`{name}` is not for {found}, and {self.path} holds {found}. Take it out.")
        white = 255.0 if float(parts.train.x.max()) > 1 else 1.0
        parts = parts._replace(source=f"{parts.source} {self.test_x}")
        return make_data(*parts, self.crop_pixels or self.shift, self.flip, white, noise=self.noise)

    def _files(self) -> Source:
        test_path = self.path if self.test_x else ""
        return Source(self.path, test_path, self.validation, self.test, self.seed, self.limit)

    def _read(
        self, path: str, limit: int, known: tuple[str, ...]
    ) -> tuple[torch.Tensor, torch.Tensor, tuple[str, ...]]:
        """The examples to train on, or where classes are known those of the test part."""
        names = (self.test_x, self.test_y) if known else (self.x, self.y)
        x, y = read_arrays(path, names)
        labels, classes = read_classes(y, names[1], path, known)
        rows = drawn(labels.numpy(), limit)
        examples = channels_first(x[rows], self.layout or guess_layout(x, names[0]), names[0], path)
        return torch.from_numpy(examples), labels[rows], classes


def guess_layout(x: np.ndarray, name: str) -> str:
    """The axes of x, where they are plain to see. Raises: DataError: with what it may be."""
    if x.ndim == 2:
        return "NL"
    if x.ndim == 3 and x.dtype == np.uint8:
        return "NHW"
    if x.ndim == 4 and (x.shape[3] in CHANNELS) != (x.shape[1] in CHANNELS):
        return "NHWC" if x.shape[3] in CHANNELS else "NCHW"
    may_be = [layout for layout in LAYOUTS if len(layout) == x.ndim]
    shape = " x ".join(map(str, x.shape))
    if not may_be:
        raise DataError(f"{name!r} is {shape}. Images have 3 or 4 axes, series 2 or 3.")
    raise DataError(f"{name!r} is {shape}, which may be {' or '.join(may_be)}. Write which: `layout: {may_be[0]}`.")


def channels_first(x: np.ndarray, layout: str, name: str, path: str) -> np.ndarray:
    """(N, C, H, W) or (N, C, L) float32. Raises: DataError: for other axes, or numbers that are none."""
    if x.ndim != len(layout):
        raise DataError(f"{name!r} of {path} has {x.ndim} axes, but `layout: {layout}` has {len(layout)}.")
    if "C" not in layout:
        x = x[:, None]
    elif layout.endswith("C"):
        x = np.moveaxis(x, -1, 1)
    numbers = np.ascontiguousarray(x, np.float32)
    if not np.isfinite(numbers).all():
        row = int(np.flatnonzero(~np.isfinite(numbers).reshape(len(numbers), -1).all(1))[0])
        raise DataError(f"example {row} of {name!r} in {path} has numbers that are not finite. Mend or leave it out.")
    return numbers


def read_classes(
    y: np.ndarray, name: str, path: str, known: tuple[str, ...] = ()
) -> tuple[torch.Tensor, tuple[str, ...]]:
    """(N,) int64 and the names of the classes; y may be (N,) or (N, 1). Raises: DataError."""
    if y.size != len(y):
        shape = " x ".join(map(str, y.shape))
        raise DataError(f"{name!r} of {path} is {shape}, not one label an example. {ONE_LABEL}")
    return labels_of(y.reshape(-1).tolist(), f"{name!r} of {path}", known)
