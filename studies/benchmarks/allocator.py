"""What keeping freed memory is worth in training: python studies/benchmarks/allocator.py [SPACE] [--rounds 5]

Trains a supernet for a few steps in fresh processes, by turns with the C library as it is and with
`compress.memory.keep_freed_memory`; prints the median ratio of their step times with its range, page faults and memory.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path


def train(space: Path, steps: int, keep: bool) -> dict[str, float]:
    """Median seconds of a step in this process, with page faults and peak MB."""
    from compress.memory import keep_freed_memory
    from compress.train import batches
    from search.config.study import read_config
    from search.supernet.shared_weights import build_supernet
    from search.supernet.training import train_step

    if keep:
        keep_freed_memory()
    config = read_config(space)
    data = config.task.load()
    supernet = build_supernet(config.space(data), 0).train()
    seconds, before = [], resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for step, batch in enumerate(islice(batches(data, config.supernet.batch, 0, 0), steps)):
        began = time.monotonic()
        train_step(supernet, batch, config.supernet, 0, step, 0.0)
        seconds.append(time.monotonic() - began)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {"step_s": statistics.median(seconds), "faults": usage.ru_minflt - before, "peak_mb": usage.ru_maxrss / 1024}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("space", nargs="?", type=Path, default=Path("studies/cifar10/space.yaml"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--child", choices=("kept", "as it is"))
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(train(arguments.space, arguments.steps, arguments.child == "kept")))
        return
    ratios = []
    for number in range(arguments.rounds):
        found = {}
        for way in ("as it is", "kept") if number % 2 else ("kept", "as it is"):
            command = [sys.executable, __file__, str(arguments.space), "--steps", str(arguments.steps), "--child", way]
            found[way] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        ratios.append(found["kept"]["step_s"] / found["as it is"]["step_s"])
        for way, numbers in found.items():
            told = "  ".join(f"{name} {value:.4g}" for name, value in numbers.items())
            print(f"round {number + 1}  {way:9} {told}", flush=True)
    print(f"step, kept / as it is: median {statistics.median(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f}")


if __name__ == "__main__":
    main()
