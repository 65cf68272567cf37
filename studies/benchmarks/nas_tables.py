"""Tables of networks that others trained: an evaluation is a look-up, so samplers can be compared over many seeds.

NAS-Bench-Macro (Su et al. 2021, arXiv:2103.11922) and NAS-Bench-201 (Dong & Yang 2020, arXiv:2001.00326), CIFAR-10: on
these two our sampler was tuned. NAS-Bench-Graph (Qin et al. 2022, arXiv:2206.09166) on nine data sets, and the cells of
NAS-Bench-201 on simulated analog hardware (analog-nasbench): files that `wheel_tables.py` makes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet

from spaces.blocks.cell import NAMES, Cell

CODES = ("none", "skip", "conv1x1", "conv3x3", "avgpool3x3")  # of NAS-Bench-201's table
SLOTS = ("link", "op1", "op2", "op3", "op4")  # of NAS-Bench-Graph's
GRAPHS = ("cora", "citeseer", "pubmed", "cs", "physics", "photo", "computers", "arxiv", "proteins")
ANALOG = {"analog": "analog_accuracy", "noisy": "noisy_accuracy"}  # trained for the noise, and for digital hardware
TUNED_ON = ("macro", "201")
FILES = {"macro": ("nasbench-macro-cifar10.parquet",), "201": ("nasbench201-cifar10.parquet",)}
FILES |= {name: (f"nasbench-graph-{name}.parquet",) for name in GRAPHS}
FILES |= dict.fromkeys(ANALOG, ("analog-nasbench-cifar10.parquet", *FILES["201"]))  # the latter for its flops
# Best networks of which one has to be found, and worst ones below the hypervolume: shares of tables not tuned on.
CLOSE_SHARE, WORST_SHARE = 0.001, 0.1


@dataclass(frozen=True)
class Table:
    """All networks of a space: `codes` (n, slots), accuracy in points, what is known before an evaluation.

    forms: (n, slots) the codes of the simplest network that computes the same, as a search knows them of cells.
    parts: (n, p) how often each has the parts that a search knows them by, none for networks without cells.
    counts: (n, k) costs in millions; the first is limited or minimised: flops, or parameters where no flops are known.
    close: points below the best that are near enough. reference: accuracy and cost that bound the hypervolume.
    aliases: further combinations of codes and the row that each is, where several are one network of the table.
    """

    name: str
    codes: np.ndarray
    forms: np.ndarray
    parts: np.ndarray
    accuracy: np.ndarray
    counts: np.ndarray
    close: float
    reference: tuple[float, float]
    aliases: dict[tuple[int, ...], int]

    @cached_property
    def index(self) -> dict[tuple[int, ...], int]:
        """The row of each combination of codes."""
        return self.aliases | {tuple(row): i for i, row in enumerate(self.codes.tolist())}

    @property
    def cost(self) -> np.ndarray:
        """(n,) what is limited or minimised."""
        return self.counts[:, 0]

    @property
    def options(self) -> np.ndarray:
        """(slots,) number of options."""
        return self.codes.max(0) + 1


@dataclass(frozen=True)
class Lookup:
    """What a search is asked: a table, the most it may cost, whether the cost is a second objective, how often."""

    table: Table
    limit: float
    is_double: bool
    evaluations: int

    @cached_property
    def feasible(self) -> np.ndarray:
        """Rows within the limit."""
        return np.flatnonzero(self.table.cost <= self.limit)


def read_table(folder: Path, name: str) -> Table:
    """One of FILES. Raises FileNotFoundError."""
    paths = [folder / file for file in FILES[name]]
    if name in GRAPHS:
        return _graph(name, paths[0])
    if name == "macro":
        slots, costs = [f"op{i}" for i in range(8)], {"flops": 1e6, "params": 1e6}
        codes, accuracy, counts = _columns(paths[0], slots, "mean_acc", costs)
        nothing = np.zeros((len(codes), 0))
        return Table("NAS-Bench-Macro", codes, codes, nothing, accuracy, counts, 0.2, (85.0, 110.0), {})
    costs = {"cifar10_flops_m": 1.0, "cifar10_params_m": 1.0}
    codes, accuracy, counts = _columns(paths[-1], list(NAMES), "cifar10_test_200ep_mean", costs)
    if name == "201":
        return Table("NAS-Bench-201", codes, *_forms(codes), accuracy, counts, 0.2, (85.0, 110.0), {})
    others, found, _ = _columns(paths[0], list(NAMES), ANALOG[name], {})
    rows = {tuple(row): i for i, row in enumerate(others.tolist())}
    accuracy = found[[rows[tuple(row)] for row in codes.tolist()]]
    return Table(
        f"AnalogNAS-Bench, {ANALOG[name]}", codes, *_forms(codes), accuracy, counts, *_ends(accuracy, counts), {}
    )


def _columns(
    path: Path, slots: list[str], accuracy: str, costs: dict[str, float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes, accuracy and costs, these divided by their units."""
    table = parquet.read_table(path)
    codes = np.stack([table[slot].to_numpy().astype(int) for slot in slots], axis=1)
    counts = [table[cost].to_numpy().astype(float) / unit for cost, unit in costs.items()]
    return codes, table[accuracy].to_numpy().astype(float), np.array(counts).T


def _graph(name: str, path: Path) -> Table:
    """The distinct networks of a data set by the codes that the package knows them by. Other codes of the same network
    are aliases, and so are four skips, which the table lacks: they become its nearest to nothing, skips and an `fc`."""
    table = parquet.read_table(path)
    ops = sorted(set(table["op1"].to_pylist()) - {"skip"}) + ["skip"]
    columns = [table["link"].to_numpy(), *(_positions(table[slot].to_pylist(), ops) for slot in SLOTS[1:])]
    every, network = np.stack(columns, axis=1), table["network"].to_numpy()
    is_named = table["is_named"].to_numpy(zero_copy_only=False)
    rows = {number: row for row, number in enumerate(network[is_named].tolist())}
    aliases = {tuple(code): rows[number] for code, number in zip(every.tolist(), network.tolist(), strict=True)}
    skip, last = ops.index("skip"), int(every[:, 0].max())
    least = aliases[last, skip, skip, skip, ops.index("fc")]
    aliases |= {(link, *[skip] * 4): least for link in range(last + 1)}
    codes, accuracy = every[is_named], table["test"].to_numpy()[is_named]
    counts, nothing = table["params_m"].to_numpy()[is_named][:, None], np.zeros((len(codes), 0))
    return Table(f"NAS-Bench-Graph, {name}", codes, codes, nothing, accuracy, counts, *_ends(accuracy, counts), aliases)


def _positions(values: list[str], names: list[str]) -> np.ndarray:
    return np.array([names.index(value) for value in values])


def _ends(accuracy: np.ndarray, counts: np.ndarray) -> tuple[float, tuple[float, float]]:
    """`close` and `reference` of a table by rule: nobody chooses them by what comes out."""
    close = float(accuracy.max() - np.quantile(accuracy, 1 - CLOSE_SHARE))
    return close, (float(np.quantile(accuracy, WORST_SHARE)), float(counts[:, 0].max()))


def _forms(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of all `cells` (n, edges) that compute the same, the simplest; and their parts."""
    found, parts = [], []
    for cell in cells.tolist():
        cell = replace(Cell(), **{name: CODES[code] for name, code in zip(NAMES, cell, strict=True)})
        found.append([CODES.index(op) for op in cell.simplest().operations])
        parts.append(cell.parts())
    named = sorted({name for each in parts for name in each})
    return np.array(found), np.array([[each[name] for name in named] for each in parts], float)
