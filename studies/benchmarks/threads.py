"""How many threads train fastest on this machine's CPU: python studies/benchmarks/threads.py [--rounds 3] [--busy 0 1]

Steps of supernets of studies/digits/space.yaml and studies/cifar10/hour.yaml, and of a random network of each, on
random images: with one thread, with those that `compress.threads` chooses meanwhile, and with all, waiting as
`spaces/__init__.py` says, sleeping at once, or spinning as OpenMP does left alone. Each in a process of its own, all in
turn, alone and beside so many processes that only count. Markdown: how many times as long a step takes as with one
thread, median over rounds, least and most.
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack, nullcontext
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ONE, OURS = "one thread", "chosen"
WAITS = {  # name: what to set and what to leave alone, before torch is imported
    ONE: {"OMP_NUM_THREADS": "1"},
    OURS: {},
    "all": {"THREADS": "all"},
    "all, asleep at once": {"THREADS": "all", "GOMP_SPINCOUNT": "0"},
    "all, as OpenMP waits": {"THREADS": "all", "OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "300000"},
}
SPACES = {"digits": ("studies/digits/space.yaml", 1, 8), "CIFAR": ("studies/cifar10/hour.yaml", 3, 32)}
WARM, SECONDS = 12, 2.0  # steps before the clock, in which threads are chosen, and how long is timed after them


def timed() -> None:
    """In a process of its own: milliseconds of each kind of step, a line."""
    os.environ.setdefault("LATHE_DATA", ".")
    import torch
    from torch.nn.functional import cross_entropy

    from compress.memory import keep_freed_memory
    from compress.threads import settled, timed_steps
    from compress.train import Batch
    from search.config.study import read_config
    from search.supernet.shared_weights import build_supernet
    from search.supernet.training import train_step
    from spaces.space import SearchSpace, sample

    keep_freed_memory()
    for file, channels, side in SPACES.values():
        config = read_config(ROOT / file)
        space = SearchSpace((channels, side, side), 10, config.stem_width, config.stem_stride, config.stages)
        x = torch.randn(64, channels, side, side).to(memory_format=torch.channels_last)
        batch, supernet = Batch(x, torch.arange(64) % 10, torch.arange(64)), build_supernet(space, 0).train()
        network = supernet.extract(sample(space, random.Random(0))).train()

        def shared(number: int) -> None:
            train_step(supernet, batch, config.supernet, 0, number, done=1.0)  # noqa: B023

        def alone(number: int) -> None:
            cross_entropy(network(batch.x), batch.y).backward()  # noqa: B023

        for work in (shared, alone):
            with ExitStack() as stack:
                step = nullcontext
                if "THREADS" not in os.environ:
                    stack.enter_context(settled())
                    step = stack.enter_context(timed_steps(torch.device("cpu")))
                for number in range(WARM):
                    with step():
                        work(number)
                began, number = time.perf_counter(), WARM
                while time.perf_counter() - began < SECONDS:
                    with step():
                        work(number)
                    number += 1
                print(1e3 * (time.perf_counter() - began) / (number - WARM))


def measure(setting: dict[str, str], busy: int) -> list[float]:
    """Milliseconds of each kind of step in a new process, beside so many that only count."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    count = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(count) for _ in range(busy)]
    try:
        run = [sys.executable, __file__, "--timed"]
        environ = kept | {"PYTHONPATH": str(ROOT)} | setting
        return [float(line) for line in subprocess.check_output(run, env=environ, text=True).split()]
    finally:
        for other in others:
            other.kill()
            other.wait()


def shown(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} [{min(ratios):.2f}, {max(ratios):.2f}]"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--timed", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.timed:
        timed()
        return
    kinds = [f"{name}, {kind}" for name in SPACES for kind in ("supernet", "network")]
    print("| busy processes | threads | " + " | ".join(kinds) + " |\n|" + "---|" * (2 + len(kinds)))
    for busy in arguments.busy:
        found: dict[str, list[list[float]]] = {name: [] for name in WAITS}
        for number in range(arguments.rounds):
            for name in random.Random(number).sample(list(WAITS), len(WAITS)):
                found[name].append(measure(WAITS[name], busy))
        for name, rounds in found.items():
            columns = [
                shown([mine[i] / one[i] for mine, one in zip(rounds, found[ONE], strict=True)])
                for i in range(len(kinds))
            ]
            print(f"| {busy} | {name} | " + " | ".join(columns) + " |", flush=True)


if __name__ == "__main__":
    main()
