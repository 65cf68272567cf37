"""Tables of networks that others trained: an evaluation is a look-up, so samplers can be compared over many seeds.

NAS-Bench-Macro (Su et al. 2021, arXiv:2103.11922) and NAS-Bench-201 (Dong & Yang 2020, arXiv:2001.00326), CIFAR-10.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet as parquet

from spaces.blocks.cell import NAMES, Cell

CODES = ("none", "skip", "conv1x1", "conv3x3", "avgpool3x3")  # of NAS-Bench-201's table
MILLIONS = ("cifar10_flops_m", "cifar10_params_m")
FILES = {"NAS-Bench-Macro": "nasbench-macro-cifar10.parquet", "NAS-Bench-201": "nasbench201-cifar10.parquet"}


@dataclass(frozen=True)
class Table:
    """All networks of a space: `codes` (n, slots), accuracy in points, costs in millions (flops, parameters).

    forms: (n, slots) the codes of the simplest network that computes the same, as a search knows them of cells.
    parts: (n, p) how often each has the parts that a search knows them by, none for networks without cells.
    """

    name: str
    codes: np.ndarray
    forms: np.ndarray
    parts: np.ndarray
    accuracy: np.ndarray
    flops_m: np.ndarray
    params_m: np.ndarray

    @cached_property
    def index(self) -> dict[tuple[int, ...], int]:
        """The row of each network's codes."""
        return {tuple(row): i for i, row in enumerate(self.codes.tolist())}

    @property
    def options(self) -> np.ndarray:
        """(slots,) number of options."""
        return self.codes.max(0) + 1


@dataclass(frozen=True)
class Lookup:
    """What a search is asked: a table, the most flops in millions, whether flops are a second objective, how often."""

    table: Table
    limit_m: float
    is_double: bool
    evaluations: int

    @cached_property
    def feasible(self) -> np.ndarray:
        """Rows within the limit."""
        return np.flatnonzero(self.table.flops_m <= self.limit_m)


def read_tables(folder: Path) -> list[Table]:
    """Both tables. Raises FileNotFoundError."""
    macro = parquet.read_table(folder / FILES["NAS-Bench-Macro"])
    cells = parquet.read_table(folder / FILES["NAS-Bench-201"])
    return [
        _table("NAS-Bench-Macro", macro, [f"op{i}" for i in range(8)], "mean_acc", ("flops", "params"), 1e6),
        _table(
            "NAS-Bench-201", cells, list(NAMES), "cifar10_test_200ep_mean", ("cifar10_flops_m", "cifar10_params_m"), 1.0
        ),
    ]


def _table(
    name: str, columns: pyarrow.Table, slots: list[str], accuracy: str, costs: tuple[str, str], unit: float
) -> Table:
    codes = np.stack([columns[slot].to_numpy().astype(int) for slot in slots], axis=1)
    flops, params = (columns[cost].to_numpy().astype(float) / unit for cost in costs)
    forms, parts = _forms(codes) if slots == list(NAMES) else (codes, np.zeros((len(codes), 0)))
    return Table(name, codes, forms, parts, columns[accuracy].to_numpy().astype(float), flops, params)


def _forms(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of all `cells` (n, edges) that compute the same, the simplest; and their parts."""
    found, parts = [], []
    for cell in cells.tolist():
        cell = replace(Cell(), **{name: CODES[code] for name, code in zip(NAMES, cell, strict=True)})
        found.append([CODES.index(op) for op in cell.simplest().operations])
        parts.append(cell.parts())
    named = sorted({name for each in parts for name in each})
    return np.array(found), np.array([[each[name] for name in named] for each in parts], float)
