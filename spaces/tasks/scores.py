"""Instead of examples to learn from, a table that says how accurate each network is: a search tried without training.

Source: tabular benchmarks, Ying et al. 2019, arXiv:1902.09635.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from spaces.tasks.data import TASKS, Data, DataError, Scores, Split
from spaces.tasks.table import read_table

if TYPE_CHECKING:
    import pyarrow


@TASKS.register("table")
@dataclass(frozen=True)
class Table:
    """A Parquet or CSV file with a row a network.

    columns: {decision of the space, such as `stage0.block0`: column}, one for every decision with a choice; a column
    holds the chosen option, for a block its place in `blocks` from 0, and nothing where the network has no such
    decision. codes: what the numbers of all these columns stand for where the options are text, separated by spaces, 0
    first. accuracy: its column. full: the accuracy of a network without a mistake there, 1 or 100. channels, size,
    classes: of the images that the networks were made for.
    """

    path: str
    columns: dict[str, str] = field(default_factory=dict)
    accuracy: str = "accuracy"
    full: float = 1.0
    codes: str = ""
    channels: int = 3
    size: int = 32
    classes: int = 10

    def __post_init__(self) -> None:
        if not self.columns:
            raise ValueError("`columns` must name the column of every decision. Write columns: {stage0.block0: op0}.")
        for name in ("full", "channels", "size", "classes"):
            if getattr(self, name) <= 0:
                raise ValueError(f"`{name}` must be positive, got {getattr(self, name)}.")

    def load(self) -> Data:
        """Read the table; there are no examples in it. Cost: a tenth of a second for 16,000 networks.

        Raises: DataError: no such file or column, an accuracy outside of 0 to `full`, two rows of one network.
        """
        table = self._read()
        keys = list(zip(*(self._meant(table, column) for column in self.columns.values()), strict=True))
        accuracies = table.column(self.accuracy).to_pylist()
        known: dict[tuple[Any, ...], float] = {}
        for row, (key, accuracy) in enumerate(zip(keys, accuracies, strict=True)):
            if not isinstance(accuracy, int | float) or not 0 <= accuracy <= self.full:
                raise DataError(
                    f"row {row} of {self.path} has the accuracy {accuracy}: it must be from 0 to `full`, {self.full:g}."
                )
            if key in known:
                raise DataError(f"row {row} of {self.path} is a network that an earlier row has too: {key}.")
            known[key] = accuracy / self.full
        nothing = Split(torch.empty(0, self.channels, self.size, self.size), torch.empty(0, dtype=torch.int64))
        digest = hashlib.sha256(repr((tuple(self.columns), sorted(known.items(), key=repr))).encode()).hexdigest()
        classes = tuple(str(number) for number in range(self.classes))
        mean, std = (0.0,) * self.channels, (1.0,) * self.channels
        scores = Scores(tuple(self.columns), known)
        return Data(nothing, nothing, lambda: nothing, classes, mean, std, digest, scores=scores)

    def _read(self) -> pyarrow.Table:
        columns = list(dict.fromkeys([*self.columns.values(), self.accuracy]))
        if not self.path.endswith(".csv"):
            return read_table(self.path, columns)
        import pyarrow.csv

        if not Path(self.path).is_file():
            raise DataError(f"no data file {self.path}. Check `task.path`.")
        try:
            table = pyarrow.csv.read_csv(
                self.path, convert_options=pyarrow.csv.ConvertOptions(strings_can_be_null=True)
            )
        except pyarrow.ArrowException as error:
            raise DataError(f"{self.path} is not a CSV file: {error}") from error
        missing = [column for column in columns if column not in table.column_names]
        if missing:
            raise DataError(f"{self.path} has no column {missing[0]!r}. It has: {', '.join(table.column_names)}.")
        return table

    def _meant(self, table: pyarrow.Table, column: str) -> list[Any]:
        """The options that a column names."""
        values, texts = table.column(column).to_pylist(), self.codes.split()
        if not texts:
            return [None if isinstance(value, float) and math.isnan(value) else value for value in values]
        strange = [value for value in values if value not in range(len(texts))]
        if strange:
            raise DataError(
                f"column {column!r} of {self.path} has {strange[0]}, and `codes` says 0 to {len(texts) - 1}."
            )
        return [texts[value] for value in values]
