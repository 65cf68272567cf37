"""A Parquet file with examples and labels, as every task of one's own data reads it, and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from spaces.registry import nearest
from spaces.tasks.data import DataError, Split, check_classes
from spaces.tasks.stratified import split_indices

if TYPE_CHECKING:
    import pyarrow as pa

# (file, at most so many rows, names of the classes where known) -> examples, labels (N,) int64, names of the classes
Read = Callable[[str, int, tuple[str, ...]], tuple[torch.Tensor, torch.Tensor, tuple[str, ...]]]


@dataclass(frozen=True)
class Source:
    """What a task of one's own data says about its files. Raises ValueError unless every part will have examples."""

    path: str
    test_path: str
    validation: float
    test: float
    seed: int
    limit: int

    def __post_init__(self) -> None:
        for name in ("seed", "limit"):
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` must not be negative, got {getattr(self, name)}.")
        if not 0 < self.validation < 1 or not 0 <= self.test < 1 or self.validation + self.test >= 1:
            raise ValueError(
                f"`validation` and `test` must be fractions that leave something to train on, "
                f"got {self.validation} and {self.test}. Write 0.1 and 0.1."
            )
        if not self.test and not self.test_path:
            raise ValueError("without a `test_path`, `test` must be positive: final numbers need examples. Write 0.1.")


class Parts(NamedTuple):
    """As `make_data` takes them. source: a text that stands for the test part."""

    train: Split
    validation: Split
    read_test: Callable[[], Split]
    classes: tuple[str, ...]
    source: str
    test_counts: tuple[int, ...]


def load_parts(files: Source, read: Read) -> Parts:
    """The test part is `test_path`, opened when it is asked for, or else a fraction of `path`. Raises: DataError."""
    x, y, classes = read(files.path, files.limit, ())
    check_classes(len(y), len(classes), files.path)
    test_fraction = 0.0 if files.test_path else files.test
    validation, held_back, train = split_indices(y.numpy(), (files.validation, test_fraction), files.seed)
    if not len(train) or not len(validation) or not (len(held_back) or files.test_path):
        raise DataError(
            f"{files.path} has {len(y)} examples: too few to split. Lower `validation` and `test` or add some."
        )

    def read_test() -> Split:
        if not files.test_path:
            return Split(x[held_back], y[held_back])
        test_x, test_y, _ = read(files.test_path, 0, classes)
        if int(test_y.max()) >= len(classes):
            found = f"{files.test_path} has label {int(test_y.max())}"
            raise DataError(f"{found}, but {files.path} has {len(classes)} classes.")
        return Split(test_x, test_y)

    source = f"{Path(files.path).name} {Path(files.test_path).name} {len(held_back)}"
    counts = () if files.test_path else torch.bincount(y[held_back], minlength=len(classes)).tolist()
    to_train, to_validate = (Split(x[rows], y[rows]) for rows in (train, validation))
    return Parts(to_train, to_validate, read_test, classes, source, tuple(counts))


def read_table(path: str, columns: Sequence[str]) -> pa.Table:
    """Columns of all rows. Raises: DataError: with the nearest name to a missing one."""
    import pyarrow
    import pyarrow.parquet

    check_there(path)
    try:
        source = pyarrow.parquet.ParquetFile(path)
        for column in columns:
            if column not in source.schema_arrow.names:
                close = nearest(column, source.schema_arrow.names) or source.schema_arrow.names[0]
                raise DataError(f"{path} has no column {column!r}. Did you mean {close!r}?")
        table = source.read(columns=list(columns))
    except pyarrow.ArrowException as error:
        raise DataError(f"{path} is not a Parquet file: {error}") from error
    if not table.num_rows:
        raise DataError(f"{path} has no rows.")
    return table


def check_there(path: str) -> None:
    """Raises: DataError: with the nearest file of the same ending, if there is none."""
    if not Path(path).is_file():
        folder, ending = Path(path).parent, Path(path).suffix
        close = nearest(Path(path).name, [p.name for p in folder.glob(f"*{ending}")]) if folder.is_dir() else None
        raise DataError(f"no data file {path}." + (f" Did you mean {close!r}?" if close else " Check `task.path`."))


def read_labels(
    table: pa.Table, label: str, path: str, known: tuple[str, ...] = ()
) -> tuple[torch.Tensor, tuple[str, ...]]:
    """(N,) int64 and the names of the classes. Raises: DataError.

    Labels are text, and then the names are `known` or the texts in order; or class numbers from 0, and the names those
    of the schema's `huggingface` metadata, or the numbers.
    """
    named = _class_names(table.schema.metadata, label)
    return labels_of(table.column(label).to_pylist(), f"column {label!r} of {path}", known, named)


def labels_of(
    labels: Sequence[Any], what: str, known: tuple[str, ...], named: tuple[str, ...] = ()
) -> tuple[torch.Tensor, tuple[str, ...]]:
    """The same of a list. what: it is, for messages; named: the classes of numbers. Raises: DataError."""
    if all(isinstance(name, str) for name in labels):
        names = known or tuple(sorted(set(labels)))
        strange = sorted(set(labels) - set(names))
        if strange:
            raise DataError(f"{what} has {strange[0]!r}, which the labels to train on have not.")
        return torch.tensor([names.index(name) for name in labels]), names
    _check_numbers(labels, what)
    if named and max(labels) >= len(named):
        raise DataError(f"{what} has label {max(labels)}, but the file names {len(named)} classes.")
    numbers = [int(number) for number in labels]  # True and False too
    return torch.tensor(numbers), named or tuple(str(number) for number in range(max(numbers) + 1))


def _check_numbers(labels: Sequence[Any], what: str) -> None:
    """Raises: DataError: unless all are class numbers from 0, with a row that is none and what to do about it."""
    strange = [(row, label) for row, label in enumerate(labels) if not isinstance(label, int) or label < 0]
    if not strange:
        return
    rule = f"{what} must hold class numbers from 0, or text, but row"
    for row, label in strange:
        if label is None:
            raise DataError(f"{rule} {row} has none. Label it, or leave it out.")
    fractions = [(row, label) for row, label in strange if not (isinstance(label, float) and label.is_integer())]
    row, label = (fractions or strange)[0]  # a single fraction makes floats of a whole column
    remedy = "Number the classes 0, 1, 2, or name them." if fractions else "Write integers, such as y.astype(int)."
    raise DataError(f"{rule} {row} has {label!r}. {remedy}")


def _class_names(metadata: dict[bytes, bytes] | None, label: str) -> tuple[str, ...]:
    """Names from the Hugging Face schema, or none."""
    try:
        return tuple(json.loads((metadata or {})[b"huggingface"])["info"]["features"][label]["names"])
    except (KeyError, TypeError, ValueError):
        return ()
