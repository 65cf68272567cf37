"""Samplers compared on tables of trained networks: python studies/benchmarks/samplers.py --data FOLDER --seeds 20

Prints Markdown: the median over seeds with its 95 % bootstrap interval, and the mean. FOLDER holds the Parquet files
that `nas_tables.FILES` names; without --data it is $LATHE_DATA. Nothing is trained; 20 seeds take 15 minutes of a core
on the two tables of the default. `--tables graph` takes the nine of NAS-Bench-Graph, `--tables cora analog` some; for
their files see `wheel_tables.py`.

What to believe. Our sampler has one setting for all tables, but it was chosen by looking at two, `macro` and `201`:
kernel, warp of the targets, acquisition and first architectures were picked among some 40 variants with seeds 0 to 39
(studies/LOG.md). Other seeds (--first 4000) remove the luck of seeds, not that of tables. The other tables were not
looked at while it was made; what counts as near the best there, and what bounds the hypervolume, follows a rule
(`nas_tables._ends`). Ours knows which cells of NAS-Bench-201 compute the same, as it does in any space of cells, and
graph networks by the codes that their package knows each by; the others are given the decisions alone and may ask for
one network twice, have the settings of their papers or of Optuna, and were not tuned. `ours` ranks every network that
is left, as a study does in spaces of at most pool.LISTED combinations; `sampled candidates` draws them, as it does in
larger ones (those of NAS-Bench-Graph, but for `proteins`). Optuna's samplers know limits as soft constraints only; in a
study, what they propose is repaired.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402  (reads the variable)
import optuna  # noqa: E402
from metrics import BUDGETS, cell, numbers  # noqa: E402
from nas_tables import FILES, GRAPHS, TUNED_ON, Table, read_table  # noqa: E402
from searches import SEARCHES  # noqa: E402


def rows_of(table: Table, names: list[str], seeds: range, keep: Path | None) -> None:
    """Print one table's Markdown, a row as soon as its search is done."""
    print(f"\n### {table.name}, {len(seeds)} seeds from {seeds.start}: median [95 % interval] mean\n")
    print(
        f"{len(table.codes)} networks; regret below the best, {table.accuracy.max():.2f}; budgets are kept by", end=" "
    )
    limits = [np.quantile(table.cost, share) for share in BUDGETS]
    print(", ".join(f"{(table.cost <= limit).mean():.1%}" for limit in limits), "of them\n")
    columns: list[str] = []
    for name in names:
        began = time.perf_counter()
        found = [numbers(table, name, SEARCHES[name], seed) for seed in seeds]
        if keep:
            with keep.open("a") as file:
                file.writelines(json.dumps({"table": table.name, "search": name} | one) + "\n" for one in found)
        if not columns:
            columns = list(found[0])
            print("| sampler | " + " | ".join(columns) + " |\n" + "|---" * (len(columns) + 1) + "|")
        cells = [cell(np.array([one[c] for one in found])) if c in found[0] else "" for c in columns]
        print(f"| {name} | {' | '.join(cells)} | <!-- {time.perf_counter() - began:.0f} s -->", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("LATHE_DATA"), help="folder of the Parquet files")
    parser.add_argument(
        "--tables", nargs="+", choices=["graph", *FILES], default=TUNED_ON, metavar="TABLE", help=", ".join(FILES)
    )
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--only", nargs="+", choices=SEARCHES, default=list(SEARCHES), metavar="SAMPLER")
    parser.add_argument("--keep", type=Path, help="append every seed's numbers to this file, as JSON lines")
    arguments = parser.parse_args()
    if arguments.data is None:
        sys.exit("skipped: give the folder of the tables with --data or in $LATHE_DATA")
    names = [name for given in arguments.tables for name in (GRAPHS if given == "graph" else (given,))]
    files = dict.fromkeys(file for name in names for file in FILES[name])
    missing = [file for file in files if not (arguments.data / file).exists()]
    if missing:
        sys.exit(f"skipped: {arguments.data} does not hold {' and '.join(missing)}")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    for name in names:
        table = read_table(arguments.data, name)
        rows_of(table, arguments.only, range(arguments.first, arguments.first + arguments.seeds), arguments.keep)


if __name__ == "__main__":
    main()
