"""Tables of networks that others trained: an evaluation is a look-up, so samplers can be compared over many seeds.

NAS-Bench-Macro (Su et al. 2021, arXiv:2103.11922) and NAS-Bench-201 (Dong & Yang 2020, arXiv:2001.00326), CIFAR-10.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet as parquet

FILES = {"NAS-Bench-Macro": "nasbench-macro-cifar10.parquet", "NAS-Bench-201": "nasbench201-cifar10.parquet"}


@dataclass(frozen=True)
class Table:
    """All networks of a space: `codes` (n, slots), accuracy in points, costs in millions (flops, parameters)."""

    name: str
    codes: np.ndarray
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
    edges = ["e10", "e20", "e21", "e30", "e31", "e32"]
    return [
        _table("NAS-Bench-Macro", macro, [f"op{i}" for i in range(8)], "mean_acc", ("flops", "params"), 1e6),
        _table("NAS-Bench-201", cells, edges, "cifar10_test_200ep_mean", ("cifar10_flops_m", "cifar10_params_m"), 1.0),
    ]


def _table(
    name: str, columns: pyarrow.Table, slots: list[str], accuracy: str, costs: tuple[str, str], unit: float
) -> Table:
    codes = np.stack([columns[slot].to_numpy().astype(int) for slot in slots], axis=1)
    flops, params = (columns[cost].to_numpy().astype(float) / unit for cost in costs)
    return Table(name, codes, columns[accuracy].to_numpy().astype(float), flops, params)
