"""What sharing weights costs in training: python studies/benchmarks/supernet_step.py [--pairs 60] [--shapes cifar]

Every step draws a fresh architecture. The supernet takes a training step with it, and so does the plain network of the
same architecture with the same weights, on the same batch, by turns. Prints the median ratio of the pairs with its 95 %
bootstrap interval, and the ratio of the sums, in which steps that meet a block for the first time count in full. A step
is zeroing gradients, forward, loss and backward; `whole` adds clipping and the optimizer. Images are random. One
thread, and seconds of the processor: other work on the machine disturbs them less.
"""

import argparse
import os
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("LATHE_DATA", ".")  # of the CIFAR-10 study only the space is used

import torch  # noqa: E402  (reads the first variable)
from torch import Tensor, nn  # noqa: E402
from torch.nn.functional import cross_entropy  # noqa: E402

from compress.memory import keep_freed_memory  # noqa: E402
from compress.train import Training, optimizer_for  # noqa: E402
from search.config.study import read_config  # noqa: E402
from search.supernet.shared_weights import build_supernet  # noqa: E402
from spaces.space import SearchSpace, sample  # noqa: E402

STUDIES = Path(__file__).parents[1]
SHAPES = {"cifar": ("cifar10", (3, 32, 32), 128), "digits": ("digits", (1, 8, 8), 64)}
CLASSES = 10


def space_of(study: str, shape: tuple[int, int, int]) -> SearchSpace:
    """The space of a shipped study for images of this shape."""
    config = read_config(STUDIES / study / "space.yaml")
    return SearchSpace(shape, CLASSES, config.stem_width, config.stem_stride, config.stages)


def step_seconds(
    run: Callable[[Tensor], Tensor], parameters: list[nn.Parameter], batch: tuple[Tensor, Tensor]
) -> float:
    """Processor seconds of zeroing gradients, forward, loss and backward."""
    began = time.process_time()
    for parameter in parameters:
        parameter.grad = None
    cross_entropy(run(batch[0]), batch[1]).backward()
    return time.process_time() - began


def update_seconds(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter]) -> float:
    """Processor seconds of clipping and the optimizer, at a learning rate of zero: both networks keep their weights."""
    began = time.process_time()
    nn.utils.clip_grad_norm_(parameters, 5.0)
    optimizer.step()
    return time.process_time() - began


def pairs_of(space: SearchSpace, batch_size: int, pairs: int) -> list[tuple[float, float, float, float]]:
    """(supernet step, plain step, supernet update, plain update) in seconds, for `pairs` fresh architectures."""
    supernet = build_supernet(space, 0).train()
    shared = list(supernet.store.parameters())
    training = Training(lr=1e-12)
    shared_optimizer = optimizer_for(dict(supernet.store.named_parameters()), training)
    generator, rng, rows = torch.Generator().manual_seed(0), random.Random(0), []
    for number in range(pairs):
        arch = sample(space, rng)
        x = torch.randn(batch_size, *space.input_shape, generator=generator).to(memory_format=torch.channels_last)
        batch = x, torch.randint(0, CLASSES, (batch_size,), generator=generator)
        alone = supernet.extract(arch).train()
        own, own_optimizer = list(alone.parameters()), optimizer_for(dict(alone.named_parameters()), training)
        seconds = {}
        for which in ("supernet", "plain") if number % 2 else ("plain", "supernet"):
            if which == "supernet":
                step = step_seconds(lambda x, arch=arch: supernet(x, arch), shared, batch)
                seconds[which] = step, update_seconds(shared_optimizer, shared)
            else:
                step = step_seconds(alone, own, batch)
                seconds[which] = step, update_seconds(own_optimizer, own)
        (supernet_s, supernet_update_s), (plain_s, plain_update_s) = seconds["supernet"], seconds["plain"]
        rows.append((supernet_s, plain_s, supernet_update_s, plain_update_s))
    return rows


def interval(ratios: list[float]) -> tuple[float, float]:
    """95 % bootstrap interval of the median."""
    rng = random.Random(0)
    medians = sorted(statistics.median(rng.choices(ratios, k=len(ratios))) for _ in range(2000))
    return medians[50], medians[1949]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    for name in arguments.shapes:
        study, shape, batch_size = SHAPES[name]
        rows = pairs_of(space_of(study, shape), batch_size, arguments.pairs)
        plain_ms = 1000 * statistics.median(row[1] for row in rows)
        print(f"{name}: {len(rows)} pairs, batch {batch_size}, plain step {plain_ms:.1f} ms (median)")
        whole = [(a + c, b + d) for a, b, c, d in rows]
        for label, found in (("step", [row[:2] for row in rows]), ("whole", whole)):
            ratios = [shared / plain for shared, plain in found]
            low, high = interval(ratios)
            sums = sum(row[0] for row in found) / sum(row[1] for row in found)
            print(
                f"  {label:5} {statistics.median(ratios):.3f} [{low:.3f}, {high:.3f}], of the sums {sums:.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
