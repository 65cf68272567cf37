"""How much of a table can be known: python studies/benchmarks/table_luck.py --data FOLDER --tables graph

A ridge regression on all pairs of decisions, parts and costs foresees every network of a table from nine tenths of the
others (ten folds): far more than any search sees. Prints by table its rank correlation over all and among the best
twentieth, and the regret of the best of the 50 that it likes most, beside the regret of the best .1 % (`close`) and
that of the best of 50 random ones. What it does not explain is luck in training and what needs three decisions at once.
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402  (reads the variable)
from nas_tables import FILES, GRAPHS, Table, read_table  # noqa: E402
from scipy.stats import norm, rankdata  # noqa: E402

FOLDS, PICKED, BEST, PENALTY = 10, 50, 0.05, 1.0


def foreseen(table: Table, seed: int = 0) -> np.ndarray:
    """(n,) normal scores of accuracy, each row's by a model that did not see it. Cost: seconds."""
    hot = [(table.forms[:, [j]] == np.unique(table.forms[:, j])).astype(float) for j in range(table.forms.shape[1])]
    pairs = [(a[:, :, None] * b[:, None, :]).reshape(len(a), -1) for i, a in enumerate(hot) for b in hot[:i]]
    costs = np.log(table.counts)
    numbers = [(costs - costs.mean(0)) / costs.std(0), np.sqrt(table.parts), np.ones((len(costs), 1))]
    design = np.concatenate([*hot, *pairs, *numbers], axis=1)
    targets = norm.ppf((rankdata(table.accuracy) - 0.5) / len(design))
    folds = np.random.default_rng(seed).permutation(len(design)) % FOLDS
    found, all_pairs = np.empty(len(design)), design.T @ design + PENALTY * np.eye(design.shape[1])
    for fold in range(FOLDS):
        held = design[folds == fold]
        together = design.T @ targets - held.T @ targets[folds == fold]
        found[folds == fold] = held @ np.linalg.solve(all_pairs - held.T @ held, together)
    return found


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Of ranks (Spearman)."""
    return float(np.corrcoef(rankdata(one), rankdata(other))[0, 1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("LATHE_DATA"), help="folder of the Parquet files")
    parser.add_argument("--tables", nargs="+", choices=["graph", *FILES], default=list(FILES), metavar="TABLE")
    arguments = parser.parse_args()
    if arguments.data is None:
        sys.exit("skipped: give the folder of the tables with --data or in $LATHE_DATA")
    print(
        "| table | rank correlation | among the best 5 % | best of 50 foreseen | best .1 % | best of 50 random |\n"
        + "|---" * 6
        + "|"
    )
    for name in [name for given in arguments.tables for name in (GRAPHS if given == "graph" else (given,))]:
        table = read_table(arguments.data, name)
        accuracy, scores = table.accuracy, foreseen(table)
        top = accuracy >= np.quantile(accuracy, 1 - BEST)
        draws = np.random.default_rng(0).integers(len(accuracy), size=(1000, PICKED))
        random = np.median(accuracy.max() - accuracy[draws].max(1))
        picked = accuracy.max() - accuracy[np.argsort(-scores)[:PICKED]].max()
        close = accuracy.max() - np.quantile(accuracy, 0.999)
        print(
            f"| {table.name} | {correlation(scores, accuracy):.3f} | "
            f"{correlation(scores[top], accuracy[top]):.3f} | {picked:.3g} | {close:.3g} | {random:.3g} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
