"""Which engine runs a network the fastest here, and by how much, in float and in int8.

    python studies/benchmarks/latency_engines.py --sessions 3

A small convolutional network for digits, the CIFAR ResNet of 49 M MACs, a MobileNetV2-like one and a small vision
transformer; random weights and calibration images (no latency depends on them). Each network is written for every
engine that is installed, int8 in the scheme of each engine, and is in every round once in each of them. Markdown:
milliseconds on the processor's clock (one thread) and, for each engine, how many times as long as the fastest.
"""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402  (reads the variable)
import torch  # noqa: E402
from cifar_networks import mobilenet, resnet  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from compress.devices.lock import exclusive  # noqa: E402
from compress.export import EXPORTERS  # noqa: E402
from compress.export.formats import beside, write_beside  # noqa: E402
from compress.export.normalised import exportable  # noqa: E402
from compress.export.pte import delegation  # noqa: E402
from compress.quantize.int8 import quantize_static  # noqa: E402
from compress.quantize.xnnpack import write_int8_pte  # noqa: E402
from compress.runner.engines import engine, installed  # noqa: E402
from compress.runner.feeding import ready_call  # noqa: E402
from compress.runner.sampling import sample  # noqa: E402

ROUNDS, VISITS = 20, 5
WAYS = {
    "onnxruntime": ("onnxruntime", {}),
    "openvino": ("openvino", {}),
    "executorch": ("executorch", {}),
    "torch compile": ("torch", {"mode": "compile"}),
    "torch eager": ("torch", {"mode": "eager"}),
}


def digits() -> nn.Module:
    """Six convolutions for 8 x 8 pixels, 0.6 M MACs."""
    layers: list[nn.Module] = [nn.Conv2d(1, 16, 3, padding=1), nn.ReLU6()]
    for inputs, outputs, stride in ((16, 16, 1), (16, 32, 2), (32, 32, 1), (32, 48, 2), (48, 48, 1)):
        layers += [nn.Conv2d(inputs, outputs, 3, stride, 1), nn.ReLU6()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 10))


class Encoder(nn.Module):
    """Attention and an MLP behind LayerNorm. Source: Dosovitskiy et al. 2020, arXiv:2010.11929."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.first, self.second = heads, nn.LayerNorm(width), nn.LayerNorm(width)
        self.q, self.k, self.v, self.out = (nn.Linear(width, width) for _ in range(4))
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        n, length, width = x.shape
        y = self.first(x)
        q, k, v = (f(y).reshape(n, length, self.heads, -1).transpose(1, 2) for f in (self.q, self.k, self.v))
        attended = nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + self.out(attended)
        return x + self.mlp(self.second(x))


class Vit(nn.Module):
    """Patches of 4 x 4 pixels, four encoders of 96 channels and 3 heads."""

    def __init__(self, width: int = 96) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, 4)
        self.encoders = nn.Sequential(*(Encoder(width, 3) for _ in range(4)))
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoders(self.patches(x).flatten(2).transpose(1, 2)).mean(1))


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "digits CNN": (digits, (1, 8, 8)),
    "CIFAR ResNet": (resnet, (3, 32, 32)),
    "MobileNetV2-like": (mobilenet, (3, 32, 32)),
    "small ViT": (Vit, (3, 32, 32)),
}


def files_of(make: Callable[[], nn.Module], shape: tuple[int, ...], folder: Path) -> dict[str, Path]:
    """{precision: ONNX file, with what other engines run beside it}."""
    torch.manual_seed(0)
    network, constants = make().eval(), ((0.5,) * shape[0], (0.25,) * shape[0])
    images = np.random.default_rng(0).random((16, *shape), dtype=np.float32)
    whole = exportable(network, constants, shape)
    plain = EXPORTERS.get("onnx")(network, constants, shape, folder / "float.onnx")
    write_beside(whole, shape, plain, ["pt2"])
    int8 = quantize_static(plain, images, folder / "int8.onnx")
    if "executorch" in installed():
        write_beside(whole, shape, plain, ["pte"])
        write_int8_pte(whole, torch.from_numpy(images), "static", beside(int8, "pte"))
    return {"float": plain, "int8": int8}


def times_ms(path: Path, sessions: int) -> dict[str, float]:
    """{way: the least over sessions of the 10th percentile of rounds' minima}; those that have a file to run."""
    here = {name: path.with_suffix(engine(each).READS) for name, (each, _) in WAYS.items() if each in installed()}
    here = {name: file for name, file in here.items() if file.is_file()}
    found: dict[str, list[float]] = {name: [] for name in here}
    for session in range(sessions):
        calls = [ready_call(str(file), *WAYS[name])[0] for name, file in here.items()]
        with exclusive("cpu"):
            timed = sample(calls, ROUNDS, VISITS, session)
        for name, (_, busy, _) in zip(here, timed, strict=True):
            found[name].append(1e3 * float(np.percentile(np.array(busy).min(1), 10)))
    return {name: min(each) for name, each in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=3)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| network | precision | fastest | ms | " + " | ".join(WAYS) + " | delegated |")
    print("|---" * (len(WAYS) + 5) + "|")
    for name in arguments.networks:
        with TemporaryDirectory() as folder:
            for precision, path in files_of(*NETWORKS[name], Path(folder)).items():
                found = times_ms(path, arguments.sessions)
                best = min(found, key=lambda way: found[way])
                cells = [f"{found[way] / found[best]:.2f}" if way in found else "" for way in WAYS]
                program = beside(path, "pte")
                share = f"{100 * delegation(program)['delegated_share']:.0f} %" if program.is_file() else ""
                row = [name, precision, best, f"{found[best]:.3f}", *cells, share]
                print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
