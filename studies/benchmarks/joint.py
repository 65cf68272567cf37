"""Structure and compression searched together against prune -> distill -> quantize, at equal processor seconds.

    python studies/benchmarks/joint.py --seeds 3 --seconds 90

Both sides get the same digits data, the same device (measured latency), the same steps and as many seconds of processor
time, and both stop in the middle of what they are doing when these are used up.

joint: `search launch` of a digits space without compression (part of the seconds is for the supernet and the search;
winners have its 4 epochs and 12 of their own with the labels, as many as a network that is trained alone; nobody is
trained to teach them), then `search tune --variant` with `aim: front` over its trained networks: which network, which
steps, in which order, with which settings. Its ratios of pruning are those that the fixed side goes through.
fixed: five networks made by hand, from the largest of the space to the smallest, each trained alone, then pruned,
distilled and quantized in this order with the recipe of studies/digits: every network at the first ratio, then every
network at the next, fifteen of them, then all of it again from networks trained with another seed: it never runs out
of work before its seconds are used up. Alternately from both ends of the sizes, so that it covers the box.

What a process pays only once, such as loading the exporter, is paid before either clock starts.

Counted is every exported file of either side: the volume that they dominate in accuracy, log latency and log size, in
one box for both; on the validation images, which both sides may look at, and on the test images, which neither saw.
"""

import argparse
import itertools
import math
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[2]))

import torch  # noqa: E402  (reads the variable)

from compress.apply import file_of  # noqa: E402
from compress.context import Context  # noqa: E402
from compress.devices import DEVICES  # noqa: E402
from compress.devices.sessions import measure_sessions  # noqa: E402
from compress.distill.step import Distill  # noqa: E402
from compress.evaluate import evaluate_file  # noqa: E402
from compress.prune.channels import Prune  # noqa: E402
from compress.quantize.step import Quantize  # noqa: E402
from compress.recipe import StepError  # noqa: E402
from compress.train import Training, fit, hard_labels  # noqa: E402
from compress.variant import Variant  # noqa: E402
from search.config.recipe import read_recipe  # noqa: E402
from search.config.study import read_config  # noqa: E402
from search.errors import Interrupted  # noqa: E402
from search.hand_made import scaled_by_hand  # noqa: E402
from search.main_loop import launch  # noqa: E402
from search.objectives import hypervolume  # noqa: E402
from search.state.ledger import Ledger  # noqa: E402
from search.tuning.tune import tune  # noqa: E402
from search.watch import Watch  # noqa: E402
from spaces.architecture import Architecture  # noqa: E402
from spaces.network import build  # noqa: E402
from spaces.tasks import TASKS, Data  # noqa: E402

AGAIN = 1000  # what the seed of the fixed side's trainings grows by once it is through with all its ratios
EPOCHS, MOST = 16, 0.2  # of a network that is trained alone; errors above this count for nothing
TASK = "{kind: digits, validation: 0.3, test: 0.3, seed: SEED}"
SPACE = """\
study: joint
task: TASK
space:
  stem: {width: [8, 16, 24]}
  stages:
    - depth: [1, 2, 3]
      width: [16, 24, 32]
      blocks: [{resnet: {act: [relu]}}, {mbconv: {kernel: [3], expand: [1, 2, 4], act: [relu6]}}]
    - depth: [1, 2, 3]
      width: [32, 48, 64]
      stride: 2
      blocks: [{resnet: {act: [relu]}}, {mbconv: {kernel: [3, 5], expand: [1, 2, 4], act: [relu6]}}]
supernet: {epochs: 4, batch: 32, lr: 0.1}
search: {trials: 16, seed: SEED, calibration: 6, exports: 16}
objectives: {loss: min, latency_ms@here: min, params: min}
devices: {here: {kind: onnxruntime, threads: 1}}
compress: {keep: 4, teacher_epochs: 0, alone_epochs: 0, steps: [{train: {epochs: 12, lr: 0.1, batch: 32}}]}
"""
TUNE = """\
study: joint-tuned
task: TASK
devices: {here: {kind: onnxruntime, threads: 1}}
max_drop: 2.0
seed: SEED
tune:
  evaluations: 100000
  aim: front
  cheap_epochs: 1
  cheap_images: 1
  steps:
    - distill: {loss: [logits, dkd], epochs: 6, lr: 0.05, batch: 32}
    - distill: {loss: logits, epochs: 12, lr: 0.1, batch: 32}
    - prune: {ratio: [0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875], importance: [magnitude, taylor], multiple: 4,
             epochs: 4}
    - quantize: {kind: [int8-static, int8-dynamic]}
"""
RATIOS = tuple(n / 16 for n in (8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15))  # coarse ones first


@dataclass(frozen=True)
class File:
    """An exported file of a side, and what made it."""

    path: Path
    what: str


class Clock(Watch):
    """Stops whoever asks once so many seconds of processor time are used."""

    def __init__(self, seconds: float) -> None:
        super().__init__(quiet=True)
        self.end = time.process_time() + seconds

    def check(self) -> None:
        """Raises Interrupted."""
        if time.process_time() > self.end:
            raise Interrupted("the seconds are used up")


def joint(folder: Path, seed: int, seconds: float) -> list[File]:
    """Every file of the study and of the search for recipes over its networks."""
    clock = Clock(seconds)
    space, recipe = _written(folder / "space.yaml", SPACE, seed), _written(folder / "tune.yaml", TUNE, seed)
    began = time.process_time()
    with Ledger.open(str(folder / "joint.db")) as ledger:
        try:
            launch(read_config(space), ledger, clock)
            print(f"  launch took {time.process_time() - began:.0f} s", file=sys.stderr, flush=True)
            tune(read_recipe(recipe, variant="joint"), ledger, clock)
        except Interrupted:
            pass
        return [
            File(ledger.store.path(variant.model), variant.step)
            for study in ledger.studies()
            for variant in ledger.variants(study.id)
            if variant.model and variant.role == "winner"
        ]


def fixed(folder: Path, seed: int, seconds: float) -> list[File]:
    """Every file of networks made by hand, each trained, then pruned, distilled and quantized, ratio by ratio."""
    clock, files, starts = Clock(seconds), list[File](), dict[tuple[int, str], tuple[Variant, Context]]()
    config = read_config(_written(folder / "space.yaml", SPACE, seed))
    data = config.task.load()
    device = config.devices["here"]
    reference: Path | None = None

    def trained(arch: Architecture, by: int) -> tuple[Variant, Context]:
        torch.manual_seed(by)
        network = build(arch)
        fit(network, data, Training(EPOCHS, batch=32, lr=0.1), hard_labels(), by, before_step=clock.check)
        start = Variant(arch, network), Context(data, network, folder, by, before_step=clock.check)
        note(*start, "trained")
        return start

    def note(variant: Variant, context: Context, what: str) -> None:
        """Export, evaluate and measure, as the other side does for each of its files."""
        nonlocal reference
        path = file_of(variant, context)
        reference = reference or path
        evaluate_file(path, data.validation)
        device.measure([path], reference, "here")
        files.append(File(path, what))

    try:
        by_hand = from_both_ends(scaled_by_hand(config.space(data)))
        for by, ratio, arch in itertools.product(range(seed, seed + 10 * AGAIN, AGAIN), RATIOS, by_hand):
            if (by, arch.id) not in starts:
                starts[by, arch.id] = trained(arch, by)
            given, context = starts[by, arch.id]
            try:
                pruned = Prune(ratio=ratio, importance="magnitude", multiple=4, epochs=4)(given, context)
            except StepError:  # the least ratios take nothing from narrow networks
                continue
            note(pruned, context, f"prune {ratio}")
            distilled = Distill(epochs=6, lr=0.05, batch=32)(pruned, context)
            note(distilled, context, f"prune {ratio}, distill")
            note(Quantize()(distilled, context), context, f"prune {ratio}, distill, quantize")
            clock.check()
    except Interrupted:
        pass
    return files


def warm_up(folder: Path) -> None:
    """Export, evaluate and measure a network as both sides do: the first time takes seconds longer."""
    config = read_config(_written(folder / "space.yaml", SPACE, 0))
    data = config.task.load()
    network = build(scaled_by_hand(config.space(data))[0]).eval()
    path = file_of(Variant(scaled_by_hand(config.space(data))[0], network), Context(data, network, folder, 0))
    evaluate_file(path, data.validation)
    config.devices["here"].measure([path], path, "here")


def from_both_ends(sizes: Sequence[Architecture]) -> list[Architecture]:
    """The largest, the smallest, the second largest and so on. sizes: ascending."""
    order = itertools.chain.from_iterable(zip(reversed(sizes), sizes, strict=True))
    return list(dict.fromkeys(order))


def _written(path: Path, text: str, seed: int) -> Path:
    path.write_text(text.replace("TASK", TASK).replace("SEED", str(seed)))
    return path


def points(files: list[File], data: Data, reference: Path) -> dict[str, list[tuple[float, float, float]]]:
    """By split: (errors, log latency, log size) of every file, latencies measured in the same sessions."""
    paths = [file.path for file in files]
    measured = measure_sessions(DEVICES.get("onnxruntime")(), paths, reference, "here", 3)
    latencies = [measurement.value for measurement in measured]
    found = {}
    for name, split in (("validation", data.validation), ("test", data.read_test())):
        errors = [1 - evaluate_file(path, split).accuracy for path in paths]
        found[name] = [
            (error, math.log(ms), math.log(path.stat().st_size))
            for error, ms, path in zip(errors, latencies, paths, strict=True)
        ]
    return found


def shares(sides: dict[str, list[tuple[float, float, float]]]) -> dict[str, float]:
    """Of the box from the best to the worst of both sides (errors: at most MOST) the share that each dominates."""
    everything = [point for side in sides.values() for point in side if point[0] <= MOST]
    ideal = [min(column) for column in zip(*everything, strict=True)]
    worst = [MOST, *(max(column) for column in list(zip(*everything, strict=True))[1:])]
    width = [max(w - i, 1e-9) * 1.05 for w, i in zip(worst, ideal, strict=True)]
    scaled = {
        name: [[(v - i) / w for v, i, w in zip(point, ideal, width, strict=True)] for point in side]
        for name, side in sides.items()
    }
    return {name: hypervolume(side, [1.0] * 3) for name, side in scaled.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=300, help="of processor time, for each side and seed")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lathe-") as folder:
        warm_up(Path(folder))
    print("| seed | side | files | processor seconds | hypervolume, validation | test |\n|---|---|---|---|---|---|")
    for seed in range(given.first, given.first + given.seeds):
        with tempfile.TemporaryDirectory(prefix="lathe-") as folder:
            files, spent = {}, {}
            for name, run in (("joint", joint), ("fixed", fixed)):
                (place := Path(folder) / name).mkdir()
                began = time.process_time()
                files[name], spent[name] = run(place, seed, given.seconds), time.process_time() - began
                print(f"  seed {seed}, {name}: {len(files[name])} files", file=sys.stderr, flush=True)
            data = TASKS.get("digits")(validation=0.3, test=0.3, seed=seed).load()  # type: ignore[call-arg]
            found = {name: points(side, data, files["fixed"][0].path) for name, side in files.items()}
            by_split = [shares({name: side[split] for name, side in found.items()}) for split in ("validation", "test")]
            for name in files:
                volumes = " | ".join(f"{share[name]:.3f}" for share in by_split)
                print(f"| {seed} | {name} | {len(files[name])} | {spent[name]:.0f} | {volumes} |", flush=True)


if __name__ == "__main__":
    main()
