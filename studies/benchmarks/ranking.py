"""How well a supernet ranks NAS-Bench-Macro's networks, trained on real CIFAR-10 for so many minutes:

    python studies/benchmarks/ranking.py --data FOLDER --rule fair --minutes 35 [--size 32] [--width 32]

The truth is the table's mean accuracy over three full trainings; FOLDER also holds cifar10-train.parquet. Prints
Kendall's tau-b with its 95 % bootstrap interval overall, in the best fifth, and in fifths of like MACs, beside scores
that need no training. --size and --width shrink images and channels of the supernet (not of the truth), which buys more
epochs in the same minutes. `--minutes 0` prints the baselines alone.
"""

import argparse
import copy
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402  (reads the variable)
from macro_supernet import MacroSupernet, arch_of, macro_supernet  # noqa: E402
from nas_tables import Table, read_table  # noqa: E402

from compress.evaluate import evaluate  # noqa: E402
from compress.recalibrate import IMAGES, recalibrate  # noqa: E402
from compress.train import batches  # noqa: E402
from search.supernet.proxies import PROXIES, score_all  # noqa: E402
from search.supernet.ranking import ranking  # noqa: E402
from search.supernet.rules import RULES  # noqa: E402
from search.supernet.training import Sharing, train_supernet  # noqa: E402
from spaces.tasks import Data, Split  # noqa: E402
from spaces.tasks.parquet import Parquet  # noqa: E402


def trained(data: Data, arguments: argparse.Namespace) -> MacroSupernet:
    """The supernet after so many minutes; says how many steps and images that were."""
    supernet: Any = macro_supernet(arguments.size, arguments.width, arguments.seed)
    config = Sharing(
        epochs=10_000,
        minutes=arguments.minutes,
        batch=arguments.batch,
        lr=arguments.lr,
        rule=RULES.get(arguments.rule)(),
    )
    steps, began, cpu = 0, time.monotonic(), time.process_time()

    def seen() -> None:
        nonlocal steps
        steps += 1

    def tell(done: float, text: str) -> None:
        if steps % 200 == 0:
            print(f"  {done:.0%} {text}", file=sys.stderr, flush=True)

    train_supernet(supernet, data, config, arguments.seed, before_step=seen, progress=tell)
    print(
        f"\n{arguments.rule}, {arguments.size} pixels, stem of {arguments.width}: {steps:,} steps of {arguments.batch} "
        f"images ({steps * arguments.batch / len(data.train.y):.1f} epochs) in {(time.monotonic() - began) / 60:.1f} "
        f"minutes, of which the processor worked {(time.process_time() - cpu) / 60:.1f}"
    )
    return supernet


def inherited(supernet: MacroSupernet, data: Data, rows: np.ndarray, table: Table, images: int) -> list[float]:
    """Minus the validation loss of each network with the shared weights, recalibrated."""
    part = Split(data.validation.x[:images], data.validation.y[:images])
    calibration, found = data.normalise(data.train.x[:IMAGES]), []
    for row in rows:
        network = copy.deepcopy(supernet.chain(arch_of(supernet.space, table.codes[row].tolist())))
        recalibrate(network, calibration)
        found.append(-evaluate(network, data, part).loss)
    return found


def baselines(data: Data, rows: np.ndarray, table: Table, size: int, seed: int) -> dict[str, list[float]]:
    """Scores without training: counts of the table, layers that are not the identity, and every registered proxy."""
    batch = next(batches(data, 64, seed, 0))
    found: dict[str, list[float]] = {name: [] for name in PROXIES.names()}
    space, largest = macro_supernet(size, 32, seed).space, table.codes[table.flops_m.argmax()]
    teacher = macro_supernet(size, 32, seed).chain(arch_of(space, largest.tolist()))
    for row in rows:
        fresh = macro_supernet(size, 32, seed).chain(arch_of(space, table.codes[row].tolist()))
        for name, value in score_all(fresh, batch, seed, teacher).items():
            found[name].append(value)
    layers = (table.codes[rows] > 0).sum(1).tolist()
    return {"params": table.params_m[rows].tolist(), "MACs": table.flops_m[rows].tolist(), "layers": layers} | found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("LATHE_DATA"), help="folder of the Parquet files")
    parser.add_argument("--rule", choices=RULES.names(), default="fair")
    parser.add_argument("--minutes", type=float, default=35.0)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--networks", type=int, default=200)
    parser.add_argument("--images", type=int, default=2000, help="validation images a network is judged by")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--proxies", action=argparse.BooleanOptionalAction, default=True)
    arguments = parser.parse_args()
    if arguments.data is None:
        sys.exit("skipped: give the folder of the tables with --data or in $LATHE_DATA")
    table = read_table(arguments.data, "macro")
    task = Parquet(str(arguments.data / "cifar10-train.parquet"), str(arguments.data / "cifar10-test.parquet"),
                   size=arguments.size, crop_pixels=max(1, arguments.size // 8), flip=True)  # fmt: skip
    data = task.load()
    rows = np.random.default_rng(arguments.seed).choice(len(table.codes), arguments.networks, replace=False)
    scores: dict[str, list[float]] = {}
    if arguments.minutes:
        supernet = trained(data, arguments)
        scores["supernet"] = inherited(supernet, data, rows, table, arguments.images)
    if arguments.proxies:
        scores |= baselines(data, rows, table, arguments.size, arguments.seed)
    truth, macs = table.accuracy[rows], table.flops_m[rows]
    print(f"\n| score | tau of {len(rows)} | of the best fifth | at like MACs |\n|---|---|---|---|")
    for name, values in scores.items():
        found = ranking(values, truth, macs)
        print(f"| {name} | {found.overall} | {found.top} | {found.alike} |", flush=True)


if __name__ == "__main__":
    main()
