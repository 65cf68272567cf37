"""How many images at once a CPU evaluates, and trains on, fastest: python studies/benchmarks/batches.py [--networks 3]

Random networks of studies/cifar10/space.yaml on random images, one thread, seconds of the processor. All batch sizes
take turns, in a new order each round. Markdown: how many times as long an image takes as in the batch that is compared
with, median over networks, least and most. Images are evaluated in batches of `compress.evaluate.POSITIONS` pixels.
"""

import argparse
import os
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("LATHE_DATA", ".")  # a space file may name its data there; they are not read

import torch  # noqa: E402  (reads the variable)
from latency_here import networks, read_space  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.nn.functional import cross_entropy  # noqa: E402

from spaces.network import build  # noqa: E402

EVALUATED, TRAINED = (512, 256, 128, 64, 32, 16), (128, 64, 32, 16)
IMAGES, ROUNDS = 256, 3  # at least so many images, or a whole batch of them


def evaluate(network: nn.Module, x: Tensor) -> None:
    network.eval()
    with torch.no_grad():
        network(x)


def train(network: nn.Module, x: Tensor) -> None:
    network.train()
    cross_entropy(network(x), torch.zeros(len(x), dtype=torch.long)).backward()


def seconds(network: nn.Module, work: Callable[[nn.Module, Tensor], None], batch: int, images: Tensor) -> float:
    began = time.process_time()
    for part in images.split(batch):
        work(network, part)
    return time.process_time() - began


def slower(network: nn.Module, work: Callable[[nn.Module, Tensor], None], batches: tuple[int, ...]) -> list[float]:
    """How many times as long each batch size takes as the first one, the median of interleaved rounds."""
    shape = (max(IMAGES, batches[0]), 3, 32, 32)
    images = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(memory_format=torch.channels_last)
    work(network, images[: batches[-1]])
    rounds = []
    for number in range(ROUNDS):
        order = random.Random(number).sample(batches, len(batches))
        took = {batch: seconds(network, work, batch, images) for batch in order}
        rounds.append([took[batch] / took[batches[0]] for batch in batches])
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    space = read_space(Path("studies/cifar10/space.yaml"), 32, 10)
    archs = networks(space, arguments.networks, arguments.seed)
    print("| work | images at once | times as long | least | most |\n|---|---|---|---|---|")
    for work, batches in ((evaluate, EVALUATED), (train, TRAINED)):
        found = [slower(build(arch), work, batches) for arch in archs]
        for batch, column in zip(batches, zip(*found, strict=True), strict=True):
            row = f"{statistics.median(column):.2f} | {min(column):.2f} | {max(column):.2f}"
            print(f"| {work.__name__} | {batch} | {row} |", flush=True)
    print(f"\nload {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
