"""Latencies of a space's networks on this machine, float and int8, for studies of how well they can be predicted.

    python studies/benchmarks/latency_here.py --space studies/cifar10/space.yaml --table FILE.parquet --minutes 5

Exports random networks as a study screens them and measures each file beside the hand-made one, in the same rounds,
until the table holds `--networks` or the minutes are over; call it again to go on. The table keeps every network's
description, so predictors are compared without a device (latency_predictors.py). With `--blocks FILE.parquet` every
block of the space is measured first, as `search device calibrate` does it. `beside` is what the hand-made network took
in int8 of what it took in float, in the same rounds. Weights and images are random: no latency depends on them.
"""

import argparse
import os
import random
import time
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("LATHE_DATA", ".")  # a space file may name its data there; they are not read

import pyarrow  # noqa: E402
import pyarrow.parquet as parquet  # noqa: E402

from compress.devices.onnxruntime import OnnxRuntime  # noqa: E402  (numpy reads the variable)
from search.config.study import read_config  # noqa: E402
from search.hand_made import hand_made  # noqa: E402
from search.latency.block_files import copies_of, network_files  # noqa: E402
from search.latency.calibrate_device import TOGETHER, measure_blocks  # noqa: E402
from search.latency.precision import PRECISIONS  # noqa: E402
from spaces.architecture import Architecture  # noqa: E402
from spaces.placements import placements  # noqa: E402
from spaces.space import SearchSpace, sample  # noqa: E402

NORMALISATION = ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
ROUNDS = 20
SAVE_EVERY = 10


def read_space(file: Path, side: int, classes: int) -> SearchSpace:
    """The space of a space file for colour images of `side` pixels; the data are not read."""
    config = read_config(file)
    return SearchSpace((3, side, side), classes, config.stem_width, config.stem_stride, config.stages)


def networks(space: SearchSpace, count: int, seed: int) -> list[Architecture]:
    """So many different random networks."""
    generator, found = random.Random(seed), {}
    while len(found) < count:
        arch = sample(space, generator)
        found[arch.id] = arch
    return list(found.values())


def measured_blocks(space: SearchSpace, reference: Path) -> list[dict[str, float | str]]:
    """A row for each placement of the space and precision: the ratio to the reference of one such piece."""
    wanted, rows = placements(space), []
    with TemporaryDirectory() as folder:
        for i in range(0, len(wanted), TOGETHER):
            group = wanted[i : i + TOGETHER]
            device = OnnxRuntime(rounds=ROUNDS)
            for placed, precision, one in measure_blocks(device, "here", group, PRECISIONS, reference, Path(folder)):
                ratio = float(one.details["ratio"]) / copies_of(placed)
                rows.append({"block": placed.key, "precision": precision, "ratio": ratio})
    return rows


def measure(arch: Architecture, reference: Path, beside: Path) -> list[dict[str, float | str]]:
    """A row each for the float and the int8 file, measured in the same rounds."""
    with TemporaryDirectory() as folder:
        files = network_files(arch, NORMALISATION, PRECISIONS, Path(folder) / "network")
        *found, other = OnnxRuntime(rounds=ROUNDS).measure([*files.values(), beside], reference, "here")
    return [
        {
            "architecture": arch.to_json(),
            "precision": precision,
            "clock_ms": one.value,
            "beside": float(other.details["ratio"]),
            **{name: float(one.details[name]) for name in ("ratio", "ratio_low", "ratio_high", "reference_ms")},
        }
        for precision, one in zip(PRECISIONS, found, strict=True)
    ]


def save(rows: list[dict[str, float | str]], table: Path) -> None:
    """Replace the table, whole or not at all."""
    partial = table.with_suffix(".partial")
    parquet.write_table(pyarrow.Table.from_pylist(rows), partial)
    os.replace(partial, table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", type=Path, default=Path("studies/cifar10/space.yaml"))
    parser.add_argument("--table", type=Path, required=True, help="Parquet file to write, or to go on with")
    parser.add_argument("--blocks", type=Path, help="Parquet file to write the blocks to, unless it is there")
    parser.add_argument("--networks", type=int, default=240)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--side", type=int, default=32, help="pixels of an image's side")
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    ends = time.monotonic() + 60 * arguments.minutes
    space = read_space(arguments.space, arguments.side, arguments.classes)
    rows = parquet.read_table(arguments.table).to_pylist() if arguments.table.exists() else []
    known = {row["architecture"] for row in rows}
    with TemporaryDirectory() as folder:
        reference, beside = network_files(
            hand_made(space), NORMALISATION, PRECISIONS, Path(folder) / "reference"
        ).values()
        if arguments.blocks and not arguments.blocks.exists():
            save(measured_blocks(space, reference), arguments.blocks)
        for arch in networks(space, arguments.networks, arguments.seed):
            if time.monotonic() > ends:
                break
            if arch.to_json() not in known:
                rows += measure(arch, reference, beside)
                if len(rows) % (2 * SAVE_EVERY) == 0:
                    save(rows, arguments.table)
    save(rows, arguments.table)
    print(f"{len(rows) // 2} of {arguments.networks} networks measured, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
