"""What screening as int8 is worth to who ships int8: python studies/benchmarks/screening_int8.py --engine openvino

Some random networks of the CIFAR space are measured as float and as int8 files: how well float ranks int8, and tight
limits, quantiles of the int8 latencies. For each limit three sides look for the largest network that keeps it in int8:

    int8           screened as int8, with the limit
    float          screened in float, with the limit
    float, scaled  screened in float, with the limit times what float takes of int8 in the random networks' median

First as random searches, each a draw of so many of the measured networks: of those within the limit as screened the
three largest are quantized. Then, for each seed, as searches by the code of `search launch`, of equal trials: of the
front the three that dominate most are quantized, and measured as what ships is. Kept: one of the int8 files keeps the
limit (in the searches with the upper end of its interval); the largest such one is shipped.

Nothing is trained and no data are read: multiply-adds stand in for quality, so a network of many cheap operations looks
better here than it may be. A minute a search on a busy machine. All is measured beside the same reference.
"""

import argparse
import math
import os
import random
import shutil
import tempfile
from collections.abc import Mapping
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
KEEP, FRONT, CALIBRATION = 3, 6, 8
DRAWS = 2000
QUANTILES = (0.03, 0.3)  # of the random networks' int8 latencies: the tightest limit, the loosest


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
        f"search.exports={trials}", f"search.screen={screen}", f"devices.{DEVICE}.kind={engine}",
        "objectives={loss: min, latency_ms@here: min}", f"limits={{params: 300k, latency_ms@here: {limit_ms:.6f}}}",
    )  # fmt: skip
    return open_study(read_config(SPACE, settings), ledger, Watch(quiet=True), no_data())


def by_macs(arch: Architecture) -> tuple[Evaluation, ...]:
    """A network's worth: the more multiply-adds the better, in logarithms."""
    loss = -math.log(count(arch).macs)
    return (Evaluation("validation", "loss", loss, loss, loss, 1, "supernet"),)


def shipped(study: Study, limit_ms: float) -> float:
    """Search, measure the front, quantize its best: multiply-adds of the largest whose int8 file keeps the limit, 0 if
    none does."""
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
            return count(arch).macs
    return 0.0


def measured_pairs(ledger: Ledger, engine: str, networks: int) -> tuple[np.ndarray, np.ndarray]:
    """((networks, 2) ms of random networks' float and int8 files, (networks,) their multiply-adds)."""
    studies = [opened(ledger, f"pairs-{screen}", engine, 20, 0, screen, 1e6) for screen in PRECISIONS]
    rng = random.Random("pairs")
    archs = [sample(studies[0].space, rng) for _ in range(networks)]
    pairs = [[measure_architecture(arch, DEVICE, study).value for study in studies] for arch in archs]
    return np.array(pairs), np.array([count(arch).macs for arch in archs])


def random_search(drawn_ms: np.ndarray, macs: np.ndarray, limit_ms: float, screened_ms: np.ndarray) -> float:
    """Multiply-adds of what is shipped of the networks drawn, 0 if nothing is. drawn_ms: as int8; screened_ms: as the
    side sees them, beside the same limit."""
    seen = np.flatnonzero(screened_ms <= limit_ms)
    quantized = seen[np.argsort(-macs[seen])[:KEEP]]
    return float(np.max(macs[quantized[drawn_ms[quantized] <= limit_ms]], initial=0.0))


def random_searches(pairs: np.ndarray, macs: np.ndarray, limit_ms: float, trials: int) -> dict[str, np.ndarray]:
    """(DRAWS,) multiply-adds of what each side ships, 0 for nothing; every side sees the same draws."""
    scale, rng = np.median(pairs[:, 0] / pairs[:, 1]), np.random.default_rng(0)
    seen = {"int8": pairs[:, 1], "float": pairs[:, 0], "float, scaled": pairs[:, 0] / scale}
    draws = [rng.permutation(len(pairs))[:trials] for _ in range(DRAWS)]
    return {
        side: np.array([random_search(pairs[d, 1], macs[d], limit_ms, seen[side][d]) for d in draws]) for side in SIDES
    }


def tell(limit_ms: float, by_side: Mapping[str, np.ndarray]) -> None:
    """Rows of the table: multiply-adds by side, 0 for nothing, in the same order of draws or seeds."""
    for side, macs in by_side.items():
        both = (macs > 0) & (by_side["int8"] > 0)
        against = np.quantile(by_side["int8"][both] / macs[both], (0.25, 0.5, 0.75)) if both.any() else []
        shown = ", ".join(f"{value:.2f}" for value in against)
        size = f"{np.median(macs[macs > 0]) / 1e6:.1f}" if macs.any() else "-"
        kept = f"{np.mean(macs > 0):.0%} of {len(macs)}"
        print(f"| {limit_ms:.3f} | {side} | {kept} | {size} | {'' if side == 'int8' else shown} |", flush=True)


HEADS = (
    "| limit ms | side | int8 file keeps it | M multiply-adds, median | int8's are times as many, quartiles |\n"
    "|---|---|---|---|---|"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="onnxruntime", choices=("onnxruntime", "openvino"))
    parser.add_argument("--limits", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3, help="of the searches; 0 for random ones alone")
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--networks", type=int, default=40, help="random ones, for limits and ranks")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Ledger.open(str(Path(folder) / "lathe.db")) as ledger:
        pairs, macs = measured_pairs(ledger, arguments.engine, arguments.networks)
        ratios, rank = pairs[:, 0] / pairs[:, 1], spearmanr(pairs[:, 0], pairs[:, 1])[0]  # type: ignore[index]
        scale, low, high = (float(value) for value in np.quantile(ratios, (0.5, 0.1, 0.9)))
        print(f"{arguments.engine}, {len(pairs)} random networks: rank correlation of float and int8 {rank:.2f}; float")
        print(f"takes {scale:.2f} times int8 in the median, {low:.2f} and {high:.2f} at the 10th and 90th percentile")
        limits_ms = np.quantile(pairs[:, 1], np.linspace(*QUANTILES, arguments.limits))
        print(f"\nrandom searches of {arguments.trials} networks\n\n{HEADS}")
        for limit_ms in limits_ms:
            tell(limit_ms, random_searches(pairs, macs, limit_ms, arguments.trials))
        found: dict[float, dict[str, list[float]]] = {limit: {side: [] for side in SIDES} for limit in limits_ms}
        for seed in range(arguments.seeds):
            for number, limit_ms in enumerate(limits_ms):
                for side, (screen, is_scaled) in SIDES.items():
                    asked_ms = limit_ms * scale if is_scaled else limit_ms
                    name = f"{side.replace(', ', '-')}-{number}-{seed}"
                    study = opened(ledger, name, arguments.engine, arguments.trials, seed, screen, asked_ms)
                    largest = shipped(study, limit_ms)
                    shutil.rmtree(study.folder)
                    found[limit_ms][side].append(largest)
                    print(f"seed {seed}, {limit_ms:.3f} ms, {side}: {largest / 1e6:.1f} M", flush=True)
        if arguments.seeds:
            print(f"\nsearches of {arguments.trials} trials\n\n{HEADS}")
        for limit_ms, by_side in found.items() if arguments.seeds else ():
            tell(limit_ms, {side: np.array(sizes) for side, sizes in by_side.items()})
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
