"""Does a training step get faster in bfloat16? LATHE_DATA=FOLDER python studies/benchmarks/half_precision.py
[--space studies/cifar10/hour.yaml] [--networks 8] [--pairs 15] [--batch 64]

Random networks of a space file take a step as `fit` does, in float32 and under PyTorch's autocast to bfloat16 by turns,
one thread, channels last. Prints the ratio of each pair's seconds of the processor (median and the middle half), and
over all networks; above 1 bfloat16 is faster. A processor without bfloat16 instructions is said to have none.
"""

import argparse
import os
import random
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402  (reads the variable)
import torch  # noqa: E402
from torch.nn.functional import cross_entropy  # noqa: E402

from compress.memory import keep_freed_memory  # noqa: E402
from compress.train import batches  # noqa: E402
from search.config.study import read_config  # noqa: E402
from spaces.network import build  # noqa: E402
from spaces.space import sample  # noqa: E402

SPACE = Path(__file__).parents[1] / "cifar10" / "hour.yaml"


def ratios(network: torch.nn.Module, batch: Any, pairs: int) -> list[float]:
    """Seconds of a step in float32 over those in bfloat16, a pair each; the first pair warms up."""

    def step(context: Any) -> float:
        began = time.process_time()
        network.zero_grad()
        with context:
            logits = network(batch.x)
        cross_entropy(logits.float(), batch.y).backward()
        return time.process_time() - began

    half = torch.autocast("cpu", torch.bfloat16)
    return [step(nullcontext()) / step(half) for _ in range(pairs + 1)][1:]


def shown(values: list[float]) -> str:
    """Median and the middle half."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:.2f} [{low:.2f}, {high:.2f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", type=Path, default=SPACE)
    parser.add_argument("--networks", type=int, default=8)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--batch", type=int, default=64)
    arguments = parser.parse_args()
    if "LATHE_DATA" not in os.environ:
        sys.exit("skipped: give the folder of the data in $LATHE_DATA")
    torch.set_num_threads(1)
    keep_freed_memory()
    if not torch.cpu._is_avx512_bf16_supported():
        print("this processor has no instructions for bfloat16")
    config: Any = read_config(arguments.space, ["task.limit=4000"])
    data = config.task.load()
    space, batch = config.space(data), next(batches(data, arguments.batch, 0, 0))
    print("| blocks | float32 / bfloat16 |\n|---|---|")
    found: list[float] = []
    for number in range(arguments.networks):
        arch = sample(space, random.Random(number))
        network = build(arch).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        own = ratios(network, batch, arguments.pairs)
        found += own
        kinds = " ".join(block.kind for stage in arch.stages for block in stage.blocks)
        print(f"| {kinds} | {shown(own)} |", flush=True)
    print(f"| all | {shown(found)} |")


if __name__ == "__main__":
    main()
