"""Tables that Python packages carry, as Parquet files: python studies/benchmarks/wheel_tables.py WHEEL... --out FOLDER

    pip download --no-deps nas-bench-graph analog-nasbench
    python studies/benchmarks/wheel_tables.py *.whl --out FOLDER

nas-bench-graph (Qin et al. 2022, arXiv:2206.09166; Apache-2.0): graph networks of four operations on nine data sets,
trained three times each. One file a data set, one row for each of the combinations of `link` (which of nine graphs) and
`op1` to `op4`: the mean accuracies `test` and `valid` in percent, `latency_s`, `params_m` in millions, `network` (rows
of one number are one network, by the package's rules) and `is_named` (its row in the package). Four skips in a row, in
any graph, are no network of the table.

analog-nasbench (no licence stated): the cells of NAS-Bench-201, with accuracies on simulated analog in-memory hardware,
in the columns of nasbench201-cifar10.parquet, so that studies/nasbench201/space.yaml reads it.

Nothing of a wheel is installed or executed: pickles may name numbers and plain records and nothing else.
"""

from __future__ import annotations

import argparse
import io
import itertools
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet as parquet

# Of four nodes, which one each takes its input from; 0 is what comes in. Leaves are what goes out.
LINKS = (
    (0, 0, 0, 0),
    (0, 0, 0, 1),
    (0, 0, 1, 1),
    (0, 0, 1, 2),
    (0, 0, 1, 3),
    (0, 1, 1, 1),
    (0, 1, 1, 2),
    (0, 1, 2, 2),
    (0, 1, 2, 3),
)
OPERATIONS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
BASE = len(OPERATIONS) + 1  # of the package's numbers of networks: link, then the operations, as digits
ANALOG = ("baseline_accuracy", "ptq_accuracy", "qat_accuracy", "noisy_accuracy", "analog_accuracy")
# NASLib's order of edges and operations, which the package has (checked by its digital accuracies: Spearman .99 with
# NAS-Bench-201's), as nasbench201-cifar10.parquet has them.
EDGES = {"e10": 0, "e20": 1, "e21": 3, "e30": 2, "e31": 4, "e32": 5}
CODES = (1, 0, 3, 2, 4)  # skip, none, conv3x3, conv1x1, avgpool3x3
Tree = tuple[Any, ...]


class Plain(pickle.Unpickler):
    """Numbers and records without behaviour. Raises pickle.UnpicklingError at anything else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in {("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar")}:
            return super().find_class("numpy._core.multiarray", name)
        if (module, name) == ("numpy", "dtype"):
            return np.dtype
        if module == "analognasbench.data":
            return type(name, (), {})
        raise pickle.UnpicklingError(f"a table holds numbers, and this file wants {module}.{name}.")


def tree(link: tuple[int, ...], operations: tuple[str, ...]) -> Tree:
    """What a graph network computes, by the rules of nas-bench-graph: two of one tree are one network.

    A skip that nothing but its own path depends on moves to the front (`Arch.move_skip_op`); brothers have no order.
    """
    links, ops = list(link), list(operations)
    for at in range(len(ops)):
        if ops[at] != "skip":
            continue
        is_leaf = at + 1 not in links
        has_brother = links.count(links[at]) > 1
        if not is_leaf or not has_brother or _is_input(at, links, ops):
            parent = links[at]
            kept = [parent if source == at + 1 else source for source in links]
            # Nodes before it move up by one, and what took the input takes the skip; nodes behind keep their places.
            moved = [source + 1 if source <= at else source for source in kept]
            links, ops = [0, *moved[:at], *moved[at + 1 :]], [ops[at], *ops[:at], *ops[at + 1 :]]
    return _below(0, links, ops)


def _is_input(at: int, links: list[int], ops: list[str]) -> bool:
    """Whether a node is the network's input, led through skips."""
    node = at + 1
    while node:
        if ops[node - 1] != "skip":
            return False
        node = links[node - 1]
    return True


def _below(node: int, links: list[int], ops: list[str]) -> Tree:
    return tuple(sorted((ops[at], _below(at + 1, links, ops)) for at in range(len(ops)) if links[at] == node))


def named(number: int) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The link and operations that a number of the package stands for."""
    digits = [number // BASE**place % BASE for place in (4, 3, 2, 1, 0)]
    return LINKS[digits[0]], tuple(OPERATIONS[digit] for digit in digits[1:])


def graph_table(bench: dict[int, dict[str, float]]) -> pyarrow.Table:
    """A row for each combination of a link and the operations that the data set was tried with."""
    numbers = {tree(*named(number)): number for number in bench}
    if len(numbers) != len(bench):
        raise ValueError(f"{len(bench)} networks of the package are {len(numbers)} by its rules.")
    tried = [op for op in OPERATIONS if any(op in named(number)[1] for number in bench)]
    rows = []
    for link, ops in itertools.product(LINKS, itertools.product(tried, repeat=4)):
        if set(ops) == {"skip"}:
            continue
        number = numbers[tree(link, ops)]
        found = bench[number]
        shape = {"link": LINKS.index(link)} | {f"op{at + 1}": op for at, op in enumerate(ops)}
        known = {"network": number, "is_named": named(number) == (link, ops)}
        accuracies = {"test": 100 * float(found["perf"]), "valid": 100 * float(found["valid_perf"])}
        rows.append(shape | known | accuracies | {"latency_s": found["latency"], "params_m": float(found["para"])})
    return pyarrow.Table.from_pylist(rows)


def analog_table(bench: dict[tuple[int, ...], Any]) -> pyarrow.Table:
    """A row a cell."""
    rows = []
    for edges, record in bench.items():
        cell = {name: CODES[edges[at]] for name, at in EDGES.items()}
        rows.append(cell | {name: float(getattr(record, name)) for name in ANALOG})
    return pyarrow.Table.from_pylist(rows)


def tables_of(wheel: Path) -> Iterator[tuple[str, pyarrow.Table]]:
    """(file name, table) of what a wheel holds."""
    with zipfile.ZipFile(wheel) as files:
        for name in files.namelist():
            path = Path(name)
            if path.suffix == ".bench":
                yield f"nasbench-graph-{path.stem}.parquet", graph_table(_plain(files, name))
            elif path.parts[0] == "analognasbench" and path.suffix == ".anb":
                yield "analog-nasbench-cifar10.parquet", analog_table(_plain(files, name))


def _plain(files: zipfile.ZipFile, name: str) -> Any:
    return Plain(io.BytesIO(files.read(name))).load()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheels", type=Path, nargs="+", metavar="WHEEL")
    parser.add_argument("--out", type=Path, required=True, help="folder of the Parquet files")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for wheel in arguments.wheels:
        for file, table in tables_of(wheel):
            parquet.write_table(table, arguments.out / file)
            print(f"{file}: {table.num_rows} rows, {', '.join(table.column_names)}")


if __name__ == "__main__":
    main()
