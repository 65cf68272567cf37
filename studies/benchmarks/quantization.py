"""int8 of two trained CIFAR-10 networks: python studies/benchmarks/quantization.py --data FOLDER [--weights FOLDER]

FOLDER holds cifar10-train.parquet and cifar10-test.parquet. For a ResNet of 49 M MACs and a MobileNetV2-like network of
23 M MACs it writes the float file, the int8 file of ONNX Runtime's own quantizer, the one of ours without training and
the one after `qat` with the float network as teacher, and prints for each: what the runtime fuses, accuracy on the
10,000 test images against the float file (paired, 90 % interval), how many of them torch answers alike (with PT2E's
float simulation, and with integers as the runtime computes them; and in how many every logit is the same), bytes, and
how much faster than the float file it is in ONNX Runtime, one thread, in rounds where all files take turns: the median
of fresh sessions, and their range. Networks are trained at the first run, 15-40 minutes of one core each, saved after
every epoch and kept: in the cache, or as resnet.safetensors and mobilenet.safetensors in --weights.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from cifar_networks import load_cifar10, trained
from torch import nn
from torch.fx import GraphModule

from compress.context import Context
from compress.devices.onnxruntime import OnnxRuntime
from compress.evaluate import accuracy_drop, quality_of
from compress.export import EXPORTERS
from compress.export.session import describe_fusion, graph_report, logits
from compress.quantize.integers import as_the_runtime_computes, without_guards
from compress.quantize.qat import Qat
from compress.quantize.step import Quantize
from compress.variant import Variant
from spaces.tasks import Data, Split

BATCH = 100  # of the simulation
CALIBRATION = 200


@dataclass(frozen=True)
class Made:
    """One file, and the torch graph that simulates it, if any."""

    name: str
    path: Path
    graph: GraphModule | None = None


def files(network: nn.Module, data: Data, qat: Qat, images: int, folder: Path) -> Iterator[Made]:
    """The float file first. qat: trained on `images` training images."""
    context = Context(data, network, folder)
    float_path = EXPORTERS.get("onnx")(network, (data.mean, data.std), data.input_shape, folder / "float32.onnx")
    yield Made("float32", float_path)
    static = Quantize(images=CALIBRATION).write(network, float_path, context, folder / "static.onnx")
    yield Made("int8-static", static)
    untrained = replace(qat, epochs=0).write(network, float_path, context, folder / "untrained.onnx")
    yield Made("qat, 0 epochs", untrained, replace(qat, epochs=0).simulated(network, context))
    if qat.epochs:
        part = replace(data, train=Split(data.train.x[:images], data.train.y[:images]))
        learned = qat(Variant(None, network), replace(context, data=part)).network  # type: ignore[arg-type]
        path = qat.write(learned, float_path, context, folder / "trained.onnx")
        yield Made(f"qat, {qat.epochs} epochs of {images} images", path, qat.simulated(learned, context))


def alike(graph: GraphModule, x: torch.Tensor, found: np.ndarray) -> str:
    """In how many images torch answers as the file, in float and in integers; and has the same logits, in integers."""
    shares = []
    for simulation in (without_guards(graph), as_the_runtime_computes(graph)):
        with torch.no_grad():
            expected = torch.cat([simulation(part) for part in x.split(BATCH)]).numpy()
        shares.append((expected.argmax(1) == found.argmax(1)).mean())
    return f"{100 * shares[0]:.2f} % / {100 * shares[1]:.2f} % ({100 * (expected == found).all(1).mean():.2f} %)"


def speedups(made: list[Made], rounds: int, sessions: int) -> list[tuple[float, float, float, float]]:
    """(ms, times faster than the first file, least, most) of each file; medians and ranges over fresh sessions."""
    paths = [each.path for each in made]
    devices = [OnnxRuntime(rounds=rounds, seed=seed) for seed in range(sessions)]
    measured = [device.measure(paths, paths[0], "here") for device in devices]
    rows = []
    for of_one in zip(*measured, strict=True):
        faster = [1 / float(m.details["ratio"]) for m in of_one]
        rows.append((float(np.median([m.value for m in of_one])), float(np.median(faster)), min(faster), max(faster)))
    return rows


def report(name: str, data: Data, test: Split, arguments: argparse.Namespace, folder: Path) -> None:
    """Print a table row for each file of one network."""
    qat = Qat(epochs=arguments.epochs, lr=arguments.lr, images=CALIBRATION)
    weights = arguments.weights and arguments.weights / f"{name}.safetensors"
    made = list(files(trained(name, data, arguments.trained, weights), data, qat, arguments.images, folder))
    answers = [logits(each.path, test.x.numpy()) for each in made]
    qualities = [quality_of(each, test.y.numpy()) for each in answers]
    times = speedups(made, arguments.rounds, arguments.sessions)
    same = "alike in torch: float / integers (same logits)"
    print(f"\n| {name} | fused | accuracy | change in points | {same} | kB | ms | times faster |\n|{'---|' * 8}")
    for each, found, quality, (latency_ms, faster, least, most) in zip(made, answers, qualities, times, strict=True):
        fused = describe_fusion(graph_report(each.path)).removesuffix(" fused to int8")
        drop, low, high = accuracy_drop(qualities[0], quality)
        same = "" if each.graph is None else alike(each.graph, test.x.float(), found)
        print(
            f"| {each.name} | {fused} | {100 * quality.accuracy:.2f} | {-drop:+.2f} [{-high:+.2f}, {-low:+.2f}] "
            f"| {same} | {each.path.stat().st_size / 1000:.0f} | {latency_ms:.3f} "
            f"| {faster:.2f} [{least:.2f}, {most:.2f}] |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--networks", nargs="+", default=["resnet", "mobilenet"])
    parser.add_argument("--weights", type=Path, help="folder of the float networks' weights; None: the cache")
    parser.add_argument("--trained", type=int, default=0, help="epochs of the float networks (0: ten)")
    parser.add_argument("--epochs", type=int, default=1, help="of qat; 0 leaves it out")
    parser.add_argument("--images", type=int, default=10_000, help="training images of qat")
    parser.add_argument("--lr", type=float, default=0.001, help="of qat")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--sessions", type=int, default=7)
    arguments = parser.parse_args()
    data = load_cifar10(arguments.data)
    test = data.read_test()
    for name in arguments.networks:
        with tempfile.TemporaryDirectory() as folder:
            report(name, data, test, arguments, Path(folder))


if __name__ == "__main__":
    main()
