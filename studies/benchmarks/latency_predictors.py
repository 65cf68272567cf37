"""How well a few measured networks predict the others: python studies/benchmarks/latency_predictors.py --table FILE

Reads a table that latency_here.py wrote. As often as `--splits` says, so many networks as a study affords are drawn,
the predictor of a study is fitted to them, and all others are predicted. Prints Markdown: means over the splits, and
of the share within 10 % the tenth worst of a hundred splits. Needs no device; about a minute.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402  (reads the variable)
import pyarrow.parquet as parquet  # noqa: E402
from latency_here import read_space  # noqa: E402
from scipy.stats import spearmanr  # noqa: E402

from search.latency.predictors import fit_latency  # noqa: E402
from spaces.architecture import Architecture  # noqa: E402
from spaces.features import features  # noqa: E402

COLUMNS = ("within 5 %", "within 10 %", "in the 90 % interval", "Spearman", "within 10 %, a bad split")


def one(rows: np.ndarray, latencies: np.ndarray, known: np.ndarray) -> list[float]:
    """COLUMNS but the last for one split."""
    rest = np.setdiff1d(np.arange(len(rows)), known)
    model = fit_latency(list(rows[known]), latencies[known].tolist())
    assert model is not None
    told = np.array([model.predict_ms(row) for row in rows[rest]])
    error = np.abs(told[:, 0] / latencies[rest] - 1)
    inside = (told[:, 1] <= latencies[rest]) & (latencies[rest] <= told[:, 2])
    rank = float(spearmanr(told[:, 0], latencies[rest])[0])  # type: ignore[arg-type]
    return [float((error <= 0.05).mean()), float((error <= 0.1).mean()), float(inside.mean()), rank]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", type=Path, default=Path("studies/cifar10/space.yaml"))
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--measured", type=int, nargs="+", default=[10, 20, 30, 40])
    parser.add_argument("--splits", type=int, default=50)
    arguments = parser.parse_args()
    table = parquet.read_table(arguments.table).to_pylist()
    first = Architecture.from_json(table[0]["architecture"])
    space = read_space(arguments.space, first.input_shape[1], first.classes)
    for precision in sorted({row["precision"] for row in table}):
        chosen = [row for row in table if row["precision"] == precision]
        rows = np.stack([features(space, Architecture.from_json(row["architecture"])) for row in chosen])
        latencies = np.array([row["ratio"] for row in chosen])
        print(f"\n### {precision}, {len(chosen)} networks, {arguments.splits} splits\n")
        print("| measured | " + " | ".join(COLUMNS) + " |\n" + "|---" * (len(COLUMNS) + 1) + "|")
        for count in arguments.measured:
            draws = [np.random.default_rng(seed).permutation(len(rows))[:count] for seed in range(arguments.splits)]
            found = np.array([one(rows, latencies, known) for known in draws])
            cells = [*found.mean(0), np.quantile(found[:, 1], 0.1)]
            print(f"| {count} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |", flush=True)


if __name__ == "__main__":
    main()
