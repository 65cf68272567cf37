"""A new device from ten measurements, on real devices: python studies/benchmarks/latency_transfer.py --data FOLDER

The latencies of NAS-Bench-201's cells on nine settings of seven pieces of hardware (Lee et al. 2021, HELP, MIT). Each
piece of hardware is held out in turn with all its settings: 900 random cells are known on the other hardware, ten of
them are chosen (search.latency.transfer.choose) and measured on the held-out setting, and all cells outside the 900 are
predicted. The features are how many of each operation a cell has and nothing else. Prints Markdown: the mean over seeds
by setting, its standard deviation, and the mean over pieces of hardware. `random ten` chooses the ten at random;
`alone` knows no other device. FOLDER holds nasbench201-latency_ms.parquet and nasbench201-cifar10.parquet (the cells);
without --data it is $LATHE_DATA. 20 seeds take about 2 minutes of a core.
"""

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402  (reads the variable)
import pyarrow.parquet as parquet  # noqa: E402
from scipy.stats import kendalltau, spearmanr  # noqa: E402

from search.latency.device_prior import DeviceTable  # noqa: E402
from search.latency.predictors import fit_latency  # noqa: E402
from search.latency.transfer import choose, fit_transfer  # noqa: E402

FILES = ("nasbench201-latency_ms.parquet", "nasbench201-cifar10.parquet")
POOL, OPERATIONS = 900, 5
DEGENERATE = 0.1  # cells below this share of a setting's median were not timed properly
COLUMNS = ("Spearman", "Kendall", "within 5 %", "within 10 %", "in the 90 % interval")


@dataclass(frozen=True)
class Bench:
    """features (networks, F). latencies_ms (networks, settings), NaN where it was not measured. pieces: the hardware of
    each setting. pool: networks that the other hardware knows."""

    features: np.ndarray
    latencies_ms: np.ndarray
    settings: tuple[str, ...]
    pieces: tuple[str, ...]
    pool: int = POOL

    def usable(self, setting: int) -> np.ndarray:
        """(networks,) whether the network was timed properly."""
        column = self.latencies_ms[:, setting]
        return column > DEGENERATE * np.nanmedian(column)

    def table(self, setting: int, rows: np.ndarray) -> DeviceTable:
        """What a device knows of these rows."""
        rows = rows[self.usable(setting)[rows]]
        return DeviceTable(self.pieces[setting], self.features[rows], self.latencies_ms[rows, setting])


Predict = Callable[[np.ndarray], tuple[float, float, float]]


def read_bench(folder: Path) -> Bench:
    """Both tables, row by row the same cells."""
    latency, cells = (parquet.read_table(folder / file) for file in FILES)
    edges = np.stack([cells[name].to_numpy() for name in ("e10", "e20", "e21", "e30", "e31", "e32")], axis=1)
    counts = np.stack([(edges == operation).sum(1) for operation in range(OPERATIONS)], axis=1).astype(float)
    settings = tuple(name for name in latency.column_names if name != "index")
    if latency["index"].to_pylist() != cells["index"].to_pylist():
        sys.exit("the two tables do not list the same cells in the same order.")
    latencies_ms = np.stack([latency[name].to_numpy() for name in settings], axis=1).astype(float)
    # three settings are one graphics card with batches of 1, 32 and 256
    pieces = tuple("1080ti" if name.startswith("1080ti") else name for name in settings)
    return Bench(counts, latencies_ms, settings, pieces)


def one(bench: Bench, held_out: int, measured: int, way: str, seed: int) -> list[float]:
    """COLUMNS of one setting and seed."""
    generator = np.random.default_rng(seed)
    pool = generator.choice(len(bench.features), bench.pool, replace=False)
    others = [s for s, piece in enumerate(bench.pieces) if piece != bench.pieces[held_out]]
    sources = [bench.table(setting, pool) for setting in others]
    usable = pool[bench.usable(held_out)[pool]]
    picked = choose(sources, bench.features[usable], measured) if way == "transfer" else range(measured)
    known = bench.table(held_out, usable[list(picked)])
    if way == "alone":
        model = fit_latency(list(known.features), known.latencies_ms.tolist())
    else:
        model = fit_transfer(sources, known.features, known.latencies_ms)
    rest = np.setdiff1d(np.flatnonzero(bench.usable(held_out)), pool)
    assert model is not None
    told = np.array([model.predict_ms(row) for row in bench.features[rest]])
    real = bench.latencies_ms[rest, held_out]
    error = np.abs(told[:, 0] / real - 1)
    inside = (told[:, 1] <= real) & (real <= told[:, 2])
    ranks = [float(rank(told[:, 0], real)[0]) for rank in (spearmanr, kendalltau)]  # type: ignore[arg-type]
    return [*ranks, *(float((error <= share).mean()) for share in (0.05, 0.1)), float(inside.mean())]


def print_table(bench: Bench, measured: int, way: str, seeds: range) -> None:
    """One way of predicting, all settings."""
    print(f"\n### {way}, {measured} measurements, {len(seeds)} seeds from {seeds.start}: mean (standard deviation)\n")
    print("| held out | " + " | ".join(COLUMNS) + " |\n" + "|---" * (len(COLUMNS) + 1) + "|")
    by_hardware: dict[str, list[np.ndarray]] = {}
    for setting, name in enumerate(bench.settings):
        found = np.array([one(bench, setting, measured, way, seed) for seed in seeds])
        by_hardware.setdefault(bench.pieces[setting], []).append(found)
        cells = [f"{m:.3f} ({s:.3f})" for m, s in zip(found.mean(0), found.std(0), strict=True)]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    means = np.mean([np.mean(settings, axis=0) for settings in by_hardware.values()], axis=0)
    cells = [f"**{m:.3f}** ({s:.3f})" for m, s in zip(means.mean(0), means.std(0), strict=True)]
    print(f"| **mean of {len(by_hardware)} pieces of hardware** | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("LATHE_DATA"), help="folder of the Parquet files")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--measured", type=int, nargs="+", default=[10])
    parser.add_argument("--ways", nargs="+", choices=("transfer", "random ten", "alone"), default=["transfer"])
    arguments = parser.parse_args()
    if arguments.data is None:
        sys.exit("skipped: give the folder of the tables with --data or in $LATHE_DATA")
    missing = [file for file in FILES if not (arguments.data / file).exists()]
    if missing:
        sys.exit(f"skipped: {arguments.data} does not hold {' and '.join(missing)}")
    bench = read_bench(arguments.data)
    for way in arguments.ways:
        for measured in arguments.measured:
            print_table(bench, measured, way, range(arguments.first, arguments.first + arguments.seeds))


if __name__ == "__main__":
    main()
