"""What stitching two networks gives: python studies/benchmarks/stitching.py [--seeds 3] [--epochs 12] [--width 8]

For each seed a small and a large network of the digits space are trained alone, stitched and trained together. Accuracy
is of validation and test images, which nothing is chosen by here; latencies are measured in the same rounds. Beside
them what the two networks reach that are trained on alone for as many epochs, taught by the large one: the part of the
gain that is more training.
"""

import argparse
import copy
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from compress.devices import DEVICES
from compress.distill import LOSSES
from compress.distill.step import answers_loss
from compress.evaluate import evaluate
from compress.recalibrate import IMAGES, recalibrate
from compress.train import Training, fit
from search.alone import trained_alone
from search.latency.measuring import export_screened
from search.objectives import front, hypervolume
from search.stitching.training import TEMPERATURE, WEIGHT, train_stitched
from search.stitching.weights import Stitched
from spaces.architecture import Architecture, Stage
from spaces.blocks.mbconv import MBConv
from spaces.stitch import StitchSpace, stitch_space
from spaces.tasks import TASKS, Data, Split

TINY, SLIM = MBConv(3, 1), MBConv(3, 2)
LARGE = Architecture(
    (1, 8, 8), 10, 16, 1, (Stage(32, 1, (MBConv(5, 4), MBConv())), Stage(64, 2, (MBConv(5, 2), MBConv(), SLIM)))
)


def small_network(width: int) -> Architecture:
    """Two stages of two of the cheapest blocks; `width` is of the second, the first has half of it."""
    half = width // 2
    return replace(LARGE, stem_width=half, stages=(Stage(half, 1, (TINY, TINY)), Stage(width, 2, (TINY, TINY))))


def one_seed(
    space: StitchSpace, data: Data, images: Split, seed: int, epochs: int, together: int
) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """({what: {network: accuracy}}, seconds of the processor by what they were spent for)."""
    seconds: dict[str, float] = {}
    began = time.process_time()

    def spent(name: str) -> None:
        nonlocal began
        seconds[name], began = time.process_time() - began, time.process_time()

    def accuracies(stitched: Stitched) -> dict[str, float]:
        found = {}
        for member in space.members.values():
            network = stitched.extract(member.arch)
            recalibrate(network, data.normalise(data.train.x[:IMAGES]))
            found[member.name] = evaluate(network, data, images).accuracy
        return found

    alone = Training(epochs, batch=32, lr=0.1)
    small, large = (trained_alone(arch, data, alone, seed) for arch in (space.small, space.large))
    spent("both alone")
    x = data.normalise(data.train.x[:IMAGES])
    stitched = Stitched(space, copy.deepcopy(small), copy.deepcopy(large), x)
    spent("projections")
    found = {"fitted": accuracies(stitched)}
    began = time.process_time()
    training = Training(together, batch=32, lr=0.03)
    train_stitched(stitched, data, training, seed)
    spent("together")
    found["together"] = accuracies(stitched)
    began = time.process_time()
    found["alone, as long again"] = {}
    for name, network in (("small", small), ("large", copy.deepcopy(large))):
        fit(network, data, training, answers_loss(LOSSES.get("logits"), large, data, TEMPERATURE, WEIGHT), seed)
        found["alone, as long again"][name] = evaluate(network, data, images).accuracy
    spent("both alone, as long again")
    return found, seconds


def latencies_ms(space: StitchSpace, data: Data) -> dict[str, float]:
    """Of every member, in the same rounds."""
    device = DEVICES.get("onnxruntime")(threads=1)  # type: ignore[call-arg]
    with tempfile.TemporaryDirectory() as folder:
        names = {member.name: Path(folder) / f"{member.name}.onnx" for member in space.members.values()}
        for member in space.members.values():
            export_screened(member.arch, data, names[member.name])
        files = list(names.values())
        return {name: m.value for name, m in zip(names, device.measure(files, files[0], "here"), strict=True)}


def covered(points: list[tuple[float, float]], everyone: list[tuple[float, float]]) -> float:
    """The share that (latency, -accuracy) points dominate of the box that everyone spans, a tenth more at its worst."""
    ideal, worst = (tuple(map(end, zip(*everyone, strict=True))) for end in (min, max))
    widths = [1.1 * (w - i) for i, w in zip(ideal, worst, strict=True)]
    return hypervolume([[(v - i) / w for v, i, w in zip(p, ideal, widths, strict=True)] for p in points], [1.0, 1.0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--together", type=int, default=8)
    parser.add_argument("--width", type=int, default=8, help="of the small network's second stage")
    arguments = parser.parse_args()
    space = stitch_space(small_network(arguments.width), LARGE)
    torch.set_num_threads(1)
    data = TASKS.get("digits")(validation=0.2, test=0.2, seed=0).load()  # type: ignore[call-arg]
    test = data.read_test()
    images = Split(torch.cat([data.validation.x, test.x]), torch.cat([data.validation.y, test.y]))
    ms = latencies_ms(space, data)
    every, shares = [], []
    for seed in range(arguments.seeds):
        found, seconds = one_seed(space, data, images, seed, arguments.epochs, arguments.together)
        every.append(found)
        shares.append(shares_of(found, ms))
        print(f"seed {seed}", {name: round(value, 1) for name, value in seconds.items()}, flush=True)
        for what, accuracies in found.items():
            print(f"  {what:<24}", {name: round(100 * value, 1) for name, value in accuracies.items()}, flush=True)
    print(f"\n{'network':<16} {'ms':>7}  accuracy of {arguments.seeds} seeds, median [least, most]: fitted, together")
    for name in ms:
        rows = [statistics_of([100 * found[what][name] for found in every]) for what in ("fitted", "together")]
        print(f"{name:<16} {ms[name]:.4f}  " + "   ".join(rows))
    print(f"\nshare of the box that is covered, median of {arguments.seeds} seeds [least, most]")
    for what in shares[0]:
        print(f"{what:<44} {statistics_of([share[what] for share in shares], 3)}")


def shares_of(found: dict[str, dict[str, float]], ms: dict[str, float]) -> dict[str, float]:
    """What each choice of networks covers of one box, and how many of the last one's front are stitches."""
    ends = ("small", "large")
    choices = {
        "the two, as they were": [(ms[n], -found["fitted"][n]) for n in ends],
        "the two, trained alone as long again": [(ms[n], -found["alone, as long again"][n]) for n in ends],
        "the two, trained together": [(ms[n], -found["together"][n]) for n in ends],
        "all, fitted only": [(ms[n], -a) for n, a in found["fitted"].items()],
        "all, trained together": [(ms[n], -a) for n, a in found["together"].items()],
    }
    choices["all, and the two trained alone as long again"] = [
        *choices["all, trained together"], *choices["the two, trained alone as long again"],
    ]  # fmt: skip
    everyone = [point for what, points in choices.items() if what != "all, fitted only" for point in points]
    shares = {what: covered(points, everyone) for what, points in choices.items()}
    last = choices["all, trained together"]
    return shares | {"networks on the front of all": float(len(front(last)))}


def statistics_of(values: list[float], digits: int = 1) -> str:
    """Median [least, most]."""
    return f"{statistics.median(values):.{digits}f} [{min(values):.{digits}f}, {max(values):.{digits}f}]"


if __name__ == "__main__":
    main()
