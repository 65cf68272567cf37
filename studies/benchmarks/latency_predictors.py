"""How well a few measured networks predict the others: python studies/benchmarks/latency_predictors.py --table FILE

Reads a table that latency_here.py wrote, and its `--blocks`. As often as `--splits` says, so many networks as a study
affords are drawn, the predictor of a study is fitted to them, and all others are predicted. With `--beside` int8 files
are compared with the hand-made network's int8 file in the same rounds, and not with its float one. Prints Markdown:
means over the splits, and of the share within 10 % the tenth worst of a hundred splits. Needs no device; two minutes.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402  (reads the variable)
import pyarrow.parquet as parquet  # noqa: E402
from latency_here import read_space  # noqa: E402
from scipy.stats import spearmanr  # noqa: E402

from search.latency.block_table import BlockTable  # noqa: E402
from search.latency.foresight import Known, foresee  # noqa: E402
from search.latency.precision import INT8  # noqa: E402
from spaces.architecture import Architecture  # noqa: E402
from spaces.space import SearchSpace  # noqa: E402

COLUMNS = ("within 5 %", "within 10 %", "in the 90 % interval", "Spearman", "within 10 %, a bad split")


def one(space: SearchSpace, known: Known, pairs: list[tuple[Architecture, float]], drawn: np.ndarray) -> list[float]:
    """COLUMNS but the last for one split."""
    foresight = foresee(space, known, [pairs[i] for i in drawn])
    rest = [pairs[i] for i in np.setdiff1d(np.arange(len(pairs)), drawn)]
    found = np.array([foresight.predict_ms(arch) for arch, _ in rest])
    latencies = np.array([latency for _, latency in rest])
    error = np.abs(found[:, 0] / latencies - 1)
    inside = (found[:, 1] <= latencies) & (latencies <= found[:, 2])
    rank = float(spearmanr(found[:, 0], latencies)[0])  # type: ignore[arg-type]
    return [float((error <= 0.05).mean()), float((error <= 0.1).mean()), float(inside.mean()), rank]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", type=Path, default=Path("studies/cifar10/space.yaml"))
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--blocks", type=Path, help="what latency_here.py --blocks wrote")
    parser.add_argument("--beside", action="store_true", help="int8 beside int8")
    parser.add_argument("--measured", type=int, nargs="+", default=[10, 20, 30, 40])
    parser.add_argument("--splits", type=int, default=50)
    arguments = parser.parse_args()
    table = parquet.read_table(arguments.table).to_pylist()
    if arguments.beside:
        table = [row | {"ratio": row["ratio"] / row["beside"]} if row["precision"] == INT8 else row for row in table]
    blocks = parquet.read_table(arguments.blocks).to_pylist() if arguments.blocks else []
    first = Architecture.from_json(table[0]["architecture"])
    space = read_space(arguments.space, first.input_shape[1], first.classes)
    for precision in sorted({row["precision"] for row in table}):
        pairs = [(Architecture.from_json(r["architecture"]), r["ratio"]) for r in table if r["precision"] == precision]
        ms = {row["block"]: row["ratio"] for row in blocks if row["precision"] == precision}
        for name, known in {"features": Known(), **({"blocks": Known(BlockTable(ms))} if ms else {})}.items():
            print(f"\n### {precision}, {name}, {len(pairs)} networks, {arguments.splits} splits\n")
            print("| measured | " + " | ".join(COLUMNS) + " |\n" + "|---" * (len(COLUMNS) + 1) + "|")
            for count in arguments.measured:
                orders = (np.random.default_rng(seed).permutation(len(pairs)) for seed in range(arguments.splits))
                found = np.array([one(space, known, pairs, order[:count]) for order in orders])
                cells = [*found.mean(0), np.quantile(found[:, 1], 0.1)]
                print(f"| {count} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |", flush=True)


if __name__ == "__main__":
    main()
