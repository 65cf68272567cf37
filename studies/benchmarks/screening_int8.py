"""What screening as int8 is worth to who ships int8: python studies/benchmarks/screening_int8.py --engine openvino

Some random networks of the CIFAR space are measured as float and as int8 files: how well float ranks int8, and tight
limits, quantiles of the int8 latencies. For each limit and seed three searches of equal trials look for the largest
network that keeps the limit in int8, by the code of `search launch`:

    int8           screened as int8, with the limit
    float          screened in float, with the limit
    float, scaled  screened in float, with the limit times what float takes of int8 in the random networks' median

Of each front the three networks that dominate most are quantized, and measured as what ships is. Kept: one of their
int8 files keeps the limit with the upper end of its interval; the largest such one is shipped. Nothing is trained and
no data are read: multiply-adds stand in for quality, so a network of many cheap operations looks better here than it
may be. 20 s a search. All is measured beside the same reference, in one database: no file is measured twice.
"""

import argparse
import math
import os
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("LATHE_DATA", ".")  # a space file may name its data there; they are not read

import numpy as np  # noqa: E402  (reads the variable)
import torch  # noqa: E402
from scipy.stats import spearmanr  # noqa: E402

from compress.export.onnx import export_onnx  # noqa: E402
from search.config.study import read_config  # noqa: E402
from search.fronts import measured_front, spread  # noqa: E402
from search.latency.block_files import woken  # noqa: E402
from search.latency.measuring import DECIDING, SCREENING, SHIPPED, measure_architecture, measure_file  # noqa: E402
from search.latency.precision import FLOAT, INT8, PRECISIONS, int8_file  # noqa: E402
from search.main_loop import try_networks  # noqa: E402
from search.state.ledger import Ledger  # noqa: E402
from search.state.records import Evaluation  # noqa: E402
from search.study import Study, open_study  # noqa: E402
from search.watch import Watch  # noqa: E402
from spaces.architecture import Architecture  # noqa: E402
from spaces.counts import count  # noqa: E402
from spaces.space import sample  # noqa: E402
from spaces.tasks.data import Data, Split, make_data  # noqa: E402

SPACE = Path(__file__).parents[1] / "cifar10" / "space.yaml"
DEVICE = "here"
SIDES = {"int8": (INT8, False), "float": (FLOAT, False), "float, scaled": (FLOAT, True)}  # (screen, limit is scaled)
KEEP, FRONT, CALIBRATION = 3, 6, 10
QUANTILES = (0.03, 0.3)  # of the random networks' int8 latencies: the tightest limit, the loosest


@dataclass(frozen=True)
class Shipped:
    """The int8 file of a search that keeps the limit, in ms."""

    arch: Architecture
    limit_ms: float
    high_ms: float

    @property
    def macs(self) -> float:
        return count(self.arch).macs


def no_data() -> Data:
    """Images that nobody looks at, so that files have a normalisation."""
    generator = torch.Generator().manual_seed(0)

    def split(n: int) -> Split:
        return Split(255 * torch.rand(n, 3, 32, 32, generator=generator), torch.arange(n) % 10)

    test = split(10)
    return make_data(split(20), split(10), lambda: test, tuple(map(str, range(10))), "no data")


def opened(ledger: Ledger, name: str, engine: str, trials: int, seed: int, screen: str, limit_ms: float) -> Study:
    """A study of the CIFAR space with such a limit."""
    settings = (
        f"study={name}", f"search.trials={trials}", f"search.seed={seed}", f"search.calibration={CALIBRATION}",
        f"search.exports={2 * trials}", f"search.screen={screen}", f"devices.{DEVICE}.kind={engine}",
        "objectives={loss: min, latency_ms@here: min}", f"limits={{params: 300k, latency_ms@here: {limit_ms:.6f}}}",
    )  # fmt: skip
    return open_study(read_config(SPACE, settings), ledger, Watch(quiet=True), no_data())


def by_macs(arch: Architecture) -> tuple[Evaluation, ...]:
    """A network's worth: the more multiply-adds the better, in logarithms."""
    loss = -math.log(count(arch).macs)
    return (Evaluation("validation", "loss", loss, loss, loss, 1, "supernet"),)


def shipped(study: Study, limit_ms: float) -> Shipped | None:
    """Search, measure the front, quantize its best, and take the largest whose int8 file keeps the limit."""
    try_networks(study, by_macs)
    front = measured_front(study, "search", SCREENING, FRONT)
    archs = [Architecture.from_json(t.architecture.json) for t in spread(study, front, KEEP) if t.architecture]
    for arch in sorted(archs, key=lambda arch: -count(arch).macs):
        plain = export_onnx(
            woken(arch), (study.data.mean, study.data.std), study.data.input_shape, study.folder / f"{arch.id}.onnx"
        )
        file = int8_file(plain, study.data.input_shape, plain.with_suffix(".int8.onnx"))
        found = measure_file(file, DEVICE, study, SHIPPED)
        if found.value <= limit_ms < found.high:
            found = measure_file(file, DEVICE, study, DECIDING)
        if found.high <= limit_ms:
            return Shipped(arch, limit_ms, found.high)
    return None


def measured_pairs(ledger: Ledger, engine: str, networks: int) -> np.ndarray:
    """(networks, 2) ms of random networks' float and int8 files."""
    studies = [opened(ledger, f"pairs-{screen}", engine, 20, 0, screen, 1e6) for screen in PRECISIONS]
    rng = random.Random("pairs")
    archs = [sample(studies[0].space, rng) for _ in range(networks)]
    return np.array([[measure_architecture(arch, DEVICE, study).value for study in studies] for arch in archs])


def told(side: str, limit_ms: float, found: Sequence[Shipped | None]) -> str:
    """A row of the table: of one side and limit, over the seeds."""
    kept = [one for one in found if one is not None]
    macs = f"{np.median([one.macs for one in kept]) / 1e6:.1f}" if kept else "-"
    used = f"{np.median([one.high_ms / limit_ms for one in kept]):.2f}" if kept else "-"
    return f"| {limit_ms:.3f} | {side} | {len(kept)} of {len(found)} | {macs} | {used} |"


def compared(by_side: dict[str, list[Shipped | None]], side: str) -> str:
    """What the int8 side ships beside another, limit by limit and seed by seed."""
    pairs = [(a, b) for a, b in zip(by_side["int8"], by_side[side], strict=True) if a and b]
    ratios = np.array([a.macs / b.macs for a, b in pairs])
    if not len(ratios):
        return f"int8 beside {side}: no search in which both kept the limit"
    quartiles = ", ".join(f"{value:.2f}" for value in np.quantile(ratios, (0.25, 0.5, 0.75)))
    return (
        f"int8 beside {side}: where both kept the limit ({len(ratios)}), its multiply-adds are {quartiles} times "
        f"(quartiles); more in {np.sum(ratios > 1)}, fewer in {np.sum(ratios < 1)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="onnxruntime", choices=("onnxruntime", "openvino"))
    parser.add_argument("--limits", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--networks", type=int, default=40, help="random ones, for limits and ranks")
    arguments = parser.parse_args()
    engine, by_side = arguments.engine, {side: list[Shipped | None]() for side in SIDES}
    with tempfile.TemporaryDirectory() as folder, Ledger.open(str(Path(folder) / "lathe.db")) as ledger:
        pairs = measured_pairs(ledger, engine, arguments.networks)
        ratios, rank = pairs[:, 0] / pairs[:, 1], spearmanr(pairs[:, 0], pairs[:, 1])[0]  # type: ignore[index]
        scale = float(np.median(ratios))
        low, high = np.quantile(ratios, (0.1, 0.9))
        print(f"{engine}, {len(pairs)} random networks: rank correlation of float and int8 {rank:.2f}; float takes")
        print(f"{scale:.2f} times int8 in the median, {low:.2f} to {high:.2f} from the 10th to the 90th percentile\n")
        print("| limit ms | side | int8 files that keep it | M multiply-adds | of the limit |\n|---|---|---|---|---|")
        for limit_ms in np.quantile(pairs[:, 1], np.linspace(*QUANTILES, arguments.limits)):
            for side, (screen, scaled) in SIDES.items():
                found = []
                for seed in range(arguments.seeds):
                    asked_ms = limit_ms * scale if scaled else limit_ms
                    name = f"{side.replace(', ', '-')}-{limit_ms:.4f}-{seed}"
                    study = opened(ledger, name, engine, arguments.trials, seed, screen, asked_ms)
                    found.append(shipped(study, limit_ms))
                by_side[side] += found
                print(told(side, limit_ms, found), flush=True)
    for side, found in by_side.items():
        print(f"\n{side}: {sum(one is not None for one in found)} of {len(found)} kept", end="")
    print("\n" + "\n".join(compared(by_side, side) for side in SIDES if side != "int8"))
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
