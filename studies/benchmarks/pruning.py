"""Pruning by latency beside pruning by MACs: python studies/benchmarks/pruning.py --data FOLDER --folder FOLDER

A trained CIFAR-10 network is cut in three ways, to several sizes each: `latency`, the step `prune: {latency: ...}` at
shares of the latency; `macs`, torch-pruning's pruner as it comes (magnitude importance, the same ratio in every layer,
as many iterations as its multiply-adds need to come down to a target); `macs-8`, the same with channels rounded to 8.
Each network is then trained alike (same images, epochs, seeds, labels only), at that one of --rates at which it
validates best with the first seed. All files are measured in the same rounds in ONNX Runtime, one
thread; then the networks that count are asked about the 10,000 test images, once.

Printed: every network, means over the seeds, with `slower` where the device needs longer than before pruning; how much
faster than `macs` and `macs-8` `latency` is at equal accuracy, the logarithm of latency interpolated along each way's
networks, at accuracies that both reach, with the 90 % interval over 400 resamplings of seeds and test images; and of
the proposals of each way how many the acceptance rule would keep, and how many of those are slower.

--data holds cifar10-train.parquet and cifar10-test.parquet. --folder keeps the trained network (10 minutes of a core),
the cuts (a minute each by latency) and what was trained on (5 to 20 s each), so that a killed run goes on.
"""

import argparse
import copy
import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch_pruning
from cifar_networks import NETWORKS, Bfloat16, load_cifar10, trained
from torch import nn

from compress.apply import Budget, Findings, judge
from compress.context import Context
from compress.devices.onnxruntime import OnnxRuntime
from compress.devices.sessions import measure_sessions
from compress.evaluate import evaluate, evaluate_file, quality_of
from compress.export import EXPORTERS
from compress.export.session import logits
from compress.foreign import foreign_of, rebuilt
from compress.prune.by_latency import prune_to_latency
from compress.prune.coupled import foreign_plan
from compress.prune.staircase import beside_first
from compress.train import Training, fit, hard_labels
from spaces.tasks import Data, Split

STEPS = 400  # of torch-pruning's iterations, from nothing to all channels
RESAMPLES = 400


@dataclass(frozen=True)
class Made:
    """A network that was cut to `aim` of the first one's latency or MACs; what became of it with each seed."""

    way: str
    aim: float
    networks: tuple[nn.Module, ...]
    paths: tuple[Path, ...]


def cut_by_macs(network: nn.Module, share: float, round_to: Any, data: Data) -> nn.Module:
    """torch-pruning's own way: iterate until no more than `share` of the multiply-adds is left."""
    made, x = copy.deepcopy(network).eval(), data.normalise(data.train.x[:1])
    pruner = torch_pruning.pruner.MetaPruner(
        made, x, importance=torch_pruning.importance.GroupMagnitudeImportance(p=2), pruning_ratio=1.0,
        iterative_steps=STEPS, round_to=round_to,
        ignored_layers=[layer for layer in made.modules() if isinstance(layer, nn.Linear)],
        in_channel_groups={}, out_channel_groups={}, num_heads={}, channel_groups={},
    )  # fmt: skip
    whole = torch_pruning.utils.count_ops_and_params(made, x)[0]
    for _ in range(STEPS):
        pruner.step()
        if torch_pruning.utils.count_ops_and_params(made, x)[0] <= share * whole:
            break
    return made


def cuts(whole: nn.Module, data: Data, arguments: argparse.Namespace) -> Iterator[tuple[str, float, nn.Module]]:
    """(way, aim, network not yet trained on), the three ways in turn; cut where the folder has none."""
    arch = foreign_of(whole, arguments.network, data.input_shape, len(data.classes))
    with tempfile.TemporaryDirectory() as folder:
        measure = beside_first(OnnxRuntime(), "here", Path(folder))
        context = Context(data, None, Path(folder), measure=measure)
        plan = foreign_plan(arch, whole, data, arguments.importance)
        aims = [("latency", share) for share in arguments.shares]
        aims += [(way, share) for share in arguments.macs for way in ("macs", "macs-8")]
        for way, aim in aims:

            def cut(way: str = way, aim: float = aim) -> nn.Module:
                if way == "latency":
                    return prune_to_latency(whole, plan, aim, context)[1]
                return cut_by_macs(whole, aim, 8 if way == "macs-8" else None, data)

            yield way, aim, kept(arguments.folder / f"{arguments.network}-{way}-{aim:g}.safetensors", whole, cut)


def kept(file: Path, whole: nn.Module, make: Callable[[], nn.Module]) -> nn.Module:
    """The network that the file holds; otherwise it is made and written there."""
    if not file.is_file():
        started = time.process_time()
        tensors = {name: tensor.contiguous() for name, tensor in make().state_dict().items()}
        safetensors.torch.save_file(tensors, file.with_suffix(".partial"))
        file.with_suffix(".partial").replace(file)
        print(f"{file.stem}: {time.process_time() - started:.0f} s of the processor", file=sys.stderr, flush=True)
    return rebuilt(whole, safetensors.torch.load_file(file))


def fine_tuned(network: nn.Module, data: Data, rate: float, seed: int, arguments: argparse.Namespace) -> nn.Module:
    """The network after the same training as every other; the float weights of a bfloat16 training."""
    part = replace(data, train=Split(data.train.x[: arguments.images], data.train.y[: arguments.images]))
    working = copy.deepcopy(network)
    fit(Bfloat16(working), part, Training(arguments.epochs, batch=64, lr=rate), hard_labels(), seed=seed)
    return working


def trained_on(
    way: str, made: Sequence[tuple[str, float, nn.Module]], data: Data, arguments: argparse.Namespace
) -> list[tuple[nn.Module, ...]]:
    """The networks of one way, each with every seed, at the rate at which it validates best with the first seed."""
    asked = Split(data.validation.x[: arguments.validation], data.validation.y[: arguments.validation])
    found = []
    for _, aim, network in made:

        def with_seed(seed: int, rate: float, aim: float = aim, network: nn.Module = network) -> nn.Module:
            file = arguments.folder / f"{arguments.network}-{way}-{aim:g}-{rate:g}-{seed}.safetensors"
            return kept(file, network, lambda: fine_tuned(network, data, rate, seed, arguments))

        reached = {rate: evaluate(with_seed(0, rate), data, asked).accuracy for rate in arguments.rates}
        told = ", ".join(f"{100 * accuracy:.2f} at {rate:g}" for rate, accuracy in reached.items())
        print(f"{way} {aim:g}: validation {told}", flush=True)
        rate = max(reached, key=lambda rate: reached[rate])
        found.append(tuple(with_seed(seed, rate) for seed in range(arguments.seeds)))
    return found


def at_accuracy(accuracy: float, points: Sequence[tuple[float, float]]) -> float:
    """Log latency at an accuracy along (accuracy, latency) points, interpolated, without what is worse and slower."""
    best: list[tuple[float, float]] = []
    for found, latency_ms in sorted(points, key=lambda point: point[1]):
        if not best or found > best[-1][0]:
            best.append((found, float(np.log(latency_ms))))
    accuracies, logs = zip(*best, strict=True)
    return float(np.interp(accuracy, accuracies, logs, left=np.nan, right=np.nan))


def gain(accuracy: float, rows: Sequence[Made], correct: np.ndarray, latency_ms: np.ndarray, rival: str) -> float:
    """How many times faster `latency` is than `rival` at an accuracy; nan where one of them does not reach it.

    correct: (networks,), the accuracy of each.
    """

    def along(way: str) -> float:
        chosen = [i for i, made in enumerate(rows) if made.way in (way, "whole")]
        return at_accuracy(accuracy, [(float(correct[i]), float(latency_ms[i])) for i in chosen])

    return float(np.exp(along(rival) - along("latency")))


def tell_gains(rows: Sequence[Made], correct: Sequence[np.ndarray], latency_ms: np.ndarray, rival: str) -> None:
    """A line for each of five accuracies that both ways reach. correct: (seeds, images) of each network."""
    means = np.array([each.mean() for each in correct])
    ranges = [[means[i] for i, made in enumerate(rows) if made.way == way] for way in ("latency", rival)]
    low, high = max(map(min, ranges)), min(map(max, ranges))
    print(f"\n| test accuracy | latency: times faster than {rival} [90 %] |\n|---|---|")
    draw, drawn = np.random.default_rng(0), []
    for _ in range(RESAMPLES):
        images = draw.integers(0, correct[0].shape[1], correct[0].shape[1])
        drawn.append(np.array([each[draw.integers(0, len(each), len(each))][:, images].mean() for each in correct]))
    for accuracy in np.linspace(low, high, 7)[1:-1] if high > low else []:
        found = gain(float(accuracy), rows, means, latency_ms, rival)
        least, most = np.nanpercentile(
            [gain(float(accuracy), rows, each, latency_ms, rival) for each in drawn], [5, 95]
        )
        print(f"| {100 * accuracy:.2f} | {found:.2f} [{least:.2f}, {most:.2f}] |", flush=True)


def tell_verdicts(rows: Sequence[Made], findings: Sequence[Sequence[Findings]], max_drops: Sequence[float]) -> None:
    """What the acceptance rule says of every proposal, all seeds, each beside the whole network, which is the first."""
    whole = findings[0][0]
    print(f"\n| way | max_drop | proposals | accepted | of them slower |\n|{'---|' * 5}")
    for way, max_drop in itertools.product(dict.fromkeys(made.way for made in rows[1:]), max_drops):
        proposed = [each for made, of in zip(rows, findings, strict=True) if made.way == way for each in of]
        budget = Budget(max_drop, {})
        accepted = [each for each in proposed if judge([whole], each, budget)[0] == "accepted"]
        slower = sum(each.latency.value > whole.latency.value for each in accepted)
        print(f"| {way} | {max_drop:g} | {len(proposed)} | {len(accepted)} | {slower} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="where weights are kept")
    parser.add_argument("--network", choices=NETWORKS, default="resnet")
    parser.add_argument("--weights", type=Path, help="of the trained network, if they are not to be in the folder")
    parser.add_argument("--trained", type=int, default=0, help="epochs of the network (0: ten)")
    parser.add_argument("--shares", type=float, nargs="*", default=[0.7, 0.5, 0.35, 0.25], help="of latency")
    parser.add_argument("--macs", type=float, nargs="*", default=[0.75, 0.5, 0.3], help="shares of MACs")
    parser.add_argument("--importance", default="magnitude", help="of `latency`")
    parser.add_argument("--images", type=int, default=10_000, help="training images of each network")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--rates", type=float, nargs="*", default=[0.02, 0.005], help="peak learning rates to try")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--validation", type=int, default=2_000, help="images that choose rates and are judged by")
    parser.add_argument("--sessions", type=int, default=5)
    parser.add_argument("--max-drops", type=float, nargs="*", default=[5.0, 10.0], help="budgets to judge by, points")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    data = load_cifar10(arguments.data)
    file = arguments.weights or arguments.folder / f"{arguments.network}.safetensors"
    whole = trained(arguments.network, data, arguments.trained, file)
    ways: dict[str, list[tuple[str, float, nn.Module]]] = {}
    for each in cuts(whole, data, arguments):
        print(f"{each[0]} {each[1]:g}: {widths(each[2])}", flush=True)
        ways.setdefault(each[0], []).append(each)
    with tempfile.TemporaryDirectory() as folder:
        numbers = itertools.count()

        def row(way: str, aim: float, networks: tuple[nn.Module, ...]) -> Made:
            form, paths = (data.mean, data.std), [Path(folder) / f"{next(numbers)}.onnx" for _ in networks]
            for network, path in zip(networks, paths, strict=True):
                EXPORTERS.get("onnx")(network, form, data.input_shape, path)
            return Made(way, aim, networks, tuple(paths))

        rows = [row("whole", 1.0, (whole,))]
        for way, made in ways.items():
            chosen = trained_on(way, made, data, arguments)
            rows += [row(way, aim, networks) for (_, aim, _), networks in zip(made, chosen, strict=True)]
        report(rows, data, arguments)


def widths(network: nn.Module) -> str:
    """Output channels of all convolutions."""
    return " ".join(str(layer.out_channels) for layer in network.modules() if isinstance(layer, nn.Conv2d))


def report(rows: Sequence[Made], data: Data, arguments: argparse.Namespace) -> None:
    """Measure the first seed's files (weights do not change latency), then read the test part."""
    paths = [made.paths[0] for made in rows]
    measured = measure_sessions(OnnxRuntime(), paths, paths[0], "here", arguments.sessions)
    speed = [
        (float(m.details["ratio"]), float(m.details["ratio_low"]), float(m.details["ratio_high"])) for m in measured
    ]
    judges = Split(data.validation.x[: arguments.validation], data.validation.y[: arguments.validation])
    counts = [foreign_of(made.networks[0], "net", data.input_shape, len(data.classes)).counts for made in rows]
    findings = [
        [Findings(path, evaluate_file(path, judges), latency, path.stat().st_size, count) for path in made.paths]
        for made, latency, count in zip(rows, measured, counts, strict=True)
    ]
    test = data.read_test()
    correct = [
        np.stack([quality_of(logits(path, test.x.numpy()), test.y.numpy()).correct for path in made.paths])
        for made in rows
    ]
    print(f"\n| way | aim | validation | test | over seeds | MACs | ms | share of latency [95 %] | |\n|{'---|' * 9}")
    for made, found, right, count, latency, (share, low, high) in zip(
        rows, findings, correct, counts, measured, speed, strict=True
    ):
        validated = np.mean([each.quality.accuracy for each in found])
        print(
            f"| {made.way} | {made.aim:g} | {100 * validated:.2f} | {100 * right.mean():.2f} "
            f"| {', '.join(f'{100 * each.mean():.2f}' for each in right)} | {count.macs / counts[0].macs:.3f} "
            f"| {latency.value:.3f} | {share:.3f} [{low:.3f}, {high:.3f}] | {'slower' if low > 1 else ''} |"
        )
    latency_ms = np.array([share * measured[0].value for share, _, _ in speed])
    for rival in ("macs", "macs-8"):
        if any(made.way == rival for made in rows):
            tell_gains(rows, correct, latency_ms, rival)
    tell_verdicts(rows, findings, arguments.max_drops)


if __name__ == "__main__":
    main()
