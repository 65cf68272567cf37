"""scikit-learn's bundled handwritten digits: 1,797 real 8 x 8 grey images of 10 classes, values 0 to 16.

Source: Alpaydin and Kaynak 1998, UCI Optical Recognition of Handwritten Digits; no download.
"""

from dataclasses import dataclass

import numpy as np
import torch

from spaces.tasks.data import TASKS, Data, Split, make_data
from spaces.tasks.stratified import split_indices


@TASKS.register("digits")
@dataclass(frozen=True)
class Digits:
    """validation, test: fractions of the images of every digit, split by `seed`."""

    validation: float = 0.2
    test: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"`seed` must not be negative, got {self.seed}.")
        if not (self.validation > 0 and self.test > 0 and self.validation + self.test < 1):
            raise ValueError(
                f"`validation` and `test` must be positive and leave something to train on, got {self.validation} and "
                f"{self.test}. Write 0.2 and 0.2."
            )

    def load(self) -> Data:
        """Read and split the images; under a second."""
        from sklearn.datasets import load_digits

        images, labels = load_digits(return_X_y=True)
        x = torch.from_numpy(np.asarray(images, np.float32).reshape(-1, 1, 8, 8))
        labels = np.asarray(labels, np.int64)
        y = torch.from_numpy(labels)
        validation, test, train = split_indices(labels, (self.validation, self.test), self.seed)
        part = lambda rows: Split(x[rows], y[rows])  # noqa: E731
        classes = tuple(str(digit) for digit in range(10))
        return make_data(
            part(train),
            part(validation),
            lambda: part(test),
            classes,
            f"digits {self}",
            tuple(np.bincount(labels[test], minlength=10).tolist()),
            white=16.0,
            licence="CC BY 4.0",
        )
