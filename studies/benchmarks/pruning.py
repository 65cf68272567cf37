"""Pruning by latency beside pruning by MACs: python studies/benchmarks/pruning.py --data FOLDER --network resnet

A trained CIFAR-10 network is cut in three ways, to several sizes each: `latency`, the step `prune: {latency: ...}` at
shares of the latency; `macs`, torch-pruning's pruner as it comes (magnitude importance, the same ratio in every layer,
as many iterations as its multiply-adds need to come down to a target); `macs-8`, the same with channels rounded to 8.
Each network is then trained alike (same images, epochs, rates, labels only) and exported. All files are measured in the
same rounds in ONNX Runtime, one thread, and at the end asked about the 10,000 test images, once.

Printed: every network, with `slower` where the device needs longer than before pruning; how much faster than `macs`
`latency` is at equal accuracy, the logarithm of latency interpolated along each way's networks, at accuracies that both
reach, with the 90 % interval over 400 resamplings of the test images; and how many proposals that the acceptance rule
would keep are slower.

FOLDER holds cifar10-train.parquet and cifar10-test.parquet. Cost: one core for 0.5 to 1 minute a network.
"""

import argparse
import copy
import tempfile
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
from compress.evaluate import Quality, evaluate_file, quality_of
from compress.export import EXPORTERS
from compress.export.session import logits
from compress.foreign import foreign_of
from compress.prune.by_latency import prune_to_latency
from compress.prune.coupled import foreign_plan
from compress.prune.staircase import beside_first
from compress.train import Training, fit, hard_labels
from spaces.tasks import Data, Split

STEPS = 400  # of torch-pruning's iterations, from nothing to all channels
RESAMPLES = 400


@dataclass(frozen=True)
class Made:
    """A network that was cut to `aim` of the first one's latency or MACs, trained and exported."""

    way: str
    aim: float
    network: nn.Module
    path: Path


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


def cuts(network: nn.Module, data: Data, arguments: argparse.Namespace) -> Iterator[tuple[str, float, nn.Module]]:
    """(way, aim, network not yet trained on), the three ways in turn."""
    arch = foreign_of(network, arguments.network, data.input_shape, len(data.classes))
    with tempfile.TemporaryDirectory() as folder:
        measure = beside_first(OnnxRuntime(), "here", Path(folder))
        context = Context(data, None, Path(folder), measure=measure)
        plan = foreign_plan(arch, network, data, arguments.importance)
        for share in arguments.shares:
            yield "latency", share, prune_to_latency(network, plan, share, context)[1]
        for share in arguments.macs:
            for way, round_to in (("macs", None), ("macs-8", 8)):
                yield way, share, cut_by_macs(network, share, round_to, data)


def fine_tuned(network: nn.Module, data: Data, arguments: argparse.Namespace) -> nn.Module:
    """The network after the same training as every other; the float weights of a bfloat16 training."""
    part = replace(data, train=Split(data.train.x[: arguments.images], data.train.y[: arguments.images]))
    training = Training(arguments.epochs, batch=64, lr=arguments.lr)
    working = copy.deepcopy(network)
    fit(Bfloat16(working), part, training, hard_labels(), seed=0)
    network.load_state_dict({name: tensor.contiguous() for name, tensor in working.state_dict().items()})
    return network.eval()


def at_accuracy(accuracy: float, points: Sequence[tuple[float, float]]) -> float:
    """Log latency at an accuracy along (accuracy, latency) points, interpolated, without what is worse and slower."""
    best: list[tuple[float, float]] = []
    for found, latency_ms in sorted(points, key=lambda point: point[1]):
        if not best or found > best[-1][0]:
            best.append((found, float(np.log(latency_ms))))
    accuracies, logs = zip(*best, strict=True)
    return float(np.interp(accuracy, accuracies, logs, left=np.nan, right=np.nan))


def gains(accuracy: float, rows: Sequence[Made], correct: np.ndarray, latency_ms: np.ndarray, rival: str) -> float:
    """How many times faster `latency` is than `rival` at an accuracy; nan where one of them does not reach it."""

    def along(way: str) -> float:
        chosen = [i for i, made in enumerate(rows) if made.way in (way, "whole")]
        return at_accuracy(accuracy, [(float(correct[i].mean()), float(latency_ms[i])) for i in chosen])

    return float(np.exp(along(rival) - along("latency")))


def tell_gains(rows: Sequence[Made], qualities: Sequence[Quality], latency_ms: np.ndarray, rival: str) -> None:
    """A line for each of seven accuracies that both ways reach."""
    correct = np.stack([quality.correct for quality in qualities])
    ranges = [
        [float(q.correct.mean()) for made, q in zip(rows, qualities, strict=True) if made.way == way]
        for way in ("latency", rival)
    ]
    low, high = max(map(min, ranges)), min(map(max, ranges))
    print(f"\n| test accuracy | latency: times faster than {rival} [90 %] |\n|---|---|")
    draw, drawn = np.random.default_rng(0), []
    for _ in range(RESAMPLES):
        drawn.append(correct[:, draw.integers(0, correct.shape[1], correct.shape[1])])
    for accuracy in np.linspace(low, high, 7)[1:-1] if high > low else []:
        found = gains(float(accuracy), rows, correct, latency_ms, rival)
        spread = [gains(float(accuracy), rows, part, latency_ms, rival) for part in drawn]
        least, most = np.nanpercentile(spread, [5, 95])
        print(f"| {100 * accuracy:.2f} | {found:.2f} [{least:.2f}, {most:.2f}] |", flush=True)


def verdicts(rows: Sequence[Made], findings: Sequence[Findings], max_drop: float) -> str:
    """What the acceptance rule says of the proposals of `latency`, each beside the whole network."""
    kept = [
        found.latency.value / findings[0].latency.value
        for made, found in zip(rows, findings, strict=True)
        if made.way == "latency" and judge(findings[:1], found, Budget(max_drop, {}))[0] == "accepted"
    ]
    slower = sum(share > 1 for share in kept)
    return (
        f"of the proposals of `latency`, {len(kept)} are accepted with max_drop {max_drop:g}, {slower} of them slower"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--network", choices=NETWORKS, default="resnet")
    parser.add_argument(
        "--weights", type=Path, help="a safetensors file of the trained network; otherwise it is trained"
    )
    parser.add_argument("--trained", type=int, default=0, help="epochs of the network (0: ten)")
    parser.add_argument("--shares", type=float, nargs="*", default=[0.8, 0.6, 0.45, 0.3, 0.2], help="of latency")
    parser.add_argument("--macs", type=float, nargs="*", default=[0.75, 0.5, 0.3, 0.15], help="shares of MACs")
    parser.add_argument("--importance", default="magnitude", help="of `latency`")
    parser.add_argument("--images", type=int, default=15_000, help="training images of each network")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--lr", type=float, default=0.02)
    parser.add_argument("--validation", type=int, default=5_000, help="images that the acceptance rule is asked about")
    parser.add_argument("--sessions", type=int, default=5)
    parser.add_argument("--max-drop", type=float, default=2.0)
    arguments = parser.parse_args()
    data = load_cifar10(arguments.data)
    network = read(arguments, data)
    with tempfile.TemporaryDirectory() as folder:
        write: Callable[[nn.Module, int], Path] = lambda made, i: EXPORTERS.get("onnx")(  # noqa: E731
            made, (data.mean, data.std), data.input_shape, Path(folder) / f"{i}.onnx"
        )
        rows = [Made("whole", 1.0, network, write(network, 0))]
        for way, aim, made in cuts(network, data, arguments):
            made = fine_tuned(made, data, arguments)
            rows.append(Made(way, aim, made, write(made, len(rows))))
            print(f"{way} {aim:g}: {widths(made)}", flush=True)
        report(rows, data, arguments)


def read(arguments: argparse.Namespace, data: Data) -> nn.Module:
    """The trained network in eval mode."""
    if arguments.weights is None:
        return trained(arguments.network, data, arguments.trained)
    network = NETWORKS[arguments.network]()
    network.load_state_dict(safetensors.torch.load_file(arguments.weights))
    return network.eval()


def widths(network: nn.Module) -> str:
    """Output channels of all convolutions."""
    return " ".join(str(layer.out_channels) for layer in network.modules() if isinstance(layer, nn.Conv2d))


def report(rows: Sequence[Made], data: Data, arguments: argparse.Namespace) -> None:
    """Measure, then read the test part."""
    paths = [made.path for made in rows]
    measured = measure_sessions(OnnxRuntime(), paths, paths[0], "here", arguments.sessions)
    speed = [
        (float(m.details["ratio"]), float(m.details["ratio_low"]), float(m.details["ratio_high"])) for m in measured
    ]
    judges = Split(data.validation.x[: arguments.validation], data.validation.y[: arguments.validation])
    validation = [evaluate_file(path, judges) for path in paths]
    counts = [foreign_of(made.network, "net", data.input_shape, len(data.classes)).counts for made in rows]
    findings = [
        Findings(path, quality, latency, path.stat().st_size, count)
        for path, quality, latency, count in zip(paths, validation, measured, counts, strict=True)
    ]
    test = data.read_test()
    qualities = [quality_of(logits(path, test.x.numpy()), test.y.numpy()) for path in paths]
    print(f"\n| way | aim | validation | test | share of MACs | ms | share of latency [95 %] | |\n|{'---|' * 8}")
    for made, own, quality, count, latency, (share, low, high) in zip(
        rows, validation, qualities, counts, measured, speed, strict=True
    ):
        print(
            f"| {made.way} | {made.aim:g} | {100 * own.accuracy:.2f} | {100 * quality.accuracy:.2f} "
            f"| {count.macs / counts[0].macs:.3f} | {latency.value:.3f} | {share:.3f} [{low:.3f}, {high:.3f}] "
            f"| {'slower' if low > 1 else ''} |"
        )
    latency_ms = np.array([share * measured[0].value for share, _, _ in speed])
    for rival in ("macs", "macs-8"):
        if any(made.way == rival for made in rows):
            tell_gains(rows, qualities, latency_ms, rival)
    print(f"\n{verdicts(rows, findings, arguments.max_drop)}")


if __name__ == "__main__":
    main()
