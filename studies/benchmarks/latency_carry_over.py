"""Few-shot latency outside NAS-Bench-201: a space of ours, and the engines of this machine as devices.

    python studies/benchmarks/latency_carry_over.py --tables FILE.parquet [FILE.parquet]

Tables are those of latency_settings.py. Each setting (an engine with its options) is held out in turn, once as the only
one that is left out, and once with all settings of its engine, so that what is known comes from other engines alone.
The others know half of the networks, ten of these are measured on the held-out setting, and all networks outside that
half are predicted. Ways as in latency_transfer.py: `transfer` chooses the ten by what other devices know and uses it,
`random ten` uses it with ten that were drawn, `alone` knows no other device. 20 seeds take a minute of a core.
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402  (reads the variable)
import pyarrow.parquet as parquet  # noqa: E402
from latency_transfer import Bench, print_table  # noqa: E402

from spaces.architecture import Architecture  # noqa: E402
from spaces.features import features  # noqa: E402

WAYS = ("transfer", "random ten", "alone")
LEAST = 20  # networks that a setting must have


def read_tables(tables: list[Path]) -> Bench:
    """All networks of the tables; a setting's milliseconds are its ratios times its reference's least, both of the
    tenth percentile of rounds: of two sessions it agreed better than the median of the rounds' ratios."""
    found: dict[str, dict[str, float]] = {}
    quiet_ms: dict[str, float] = {}
    for row in (row for table in tables for row in parquet.read_table(table).to_pylist()):
        for name, own_ms in row["own_ms"].items():
            if own_ms is not None:
                own, reference = (float(np.percentile(ms, 10)) for ms in (own_ms, row["reference_ms"][name]))
                found.setdefault(row["architecture"], {}).setdefault(name, own / reference)
                quiet_ms[name] = min(quiet_ms.get(name, np.inf), reference)
    settings = tuple(s for s in quiet_ms if sum(s in ratios for ratios in found.values()) >= LEAST)
    x = np.stack([features(Architecture.from_json(text)) for text in found])
    y = [[ratios.get(name, np.nan) * quiet_ms[name] for name in settings] for ratios in found.values()]
    return Bench(x, np.array(y), settings, settings, len(found) // 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, nargs="+", required=True)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--measured", type=int, default=10)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    arguments = parser.parse_args()
    bench = read_tables(arguments.tables)
    known = ", ".join(f"{s} {n}" for s, n in zip(bench.settings, (bench.latencies_ms > 0).sum(0), strict=True))
    print(f"{len(bench.features)} networks, of which {known}")
    engines = tuple(name.split()[0] for name in bench.settings)
    for held_out, pieces in (("the setting", bench.settings), ("all settings of its engine", engines)):
        print(f"\n## held out: {held_out}")
        for way in arguments.ways:
            if way != "alone" or pieces is bench.settings:  # which knows no other device whatever is held out
                print_table(replace(bench, pieces=pieces), arguments.measured, way, range(arguments.seeds))


if __name__ == "__main__":
    main()
