"""Which rule of training shared weights ranks NAS-Bench-Macro's networks best, for the same seconds of the processor:

    python studies/benchmarks/rules.py --data FOLDER --out rules.jsonl [--minutes 6] [--size 16] [--width 16]

Every way of `WAYS` trains a supernet on real CIFAR-10 for so many minutes of the processor, by its clock and not the
wall's, and then ranks the same random networks; the truth is the table's. What is done is a line of --out and is not
done again, so the command goes on after an interruption, and with other --ways or --seeds. Prints Kendall's tau-b with
its 95 % bootstrap interval over all, in the best fifth and in fifths of like MACs; `--ways "without training"` adds
scores that need none.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402  (reads the variable)
import torch  # noqa: E402
from macro_supernet import macro_supernet  # noqa: E402
from nas_tables import Table, read_table  # noqa: E402
from ranking import baselines, inherited  # noqa: E402

from compress.memory import keep_freed_memory  # noqa: E402
from search.supernet.cutting import Cutting  # noqa: E402
from search.supernet.ranking import ranking  # noqa: E402
from search.supernet.rules.attentive import Attentive  # noqa: E402
from search.supernet.rules.fair import Fair  # noqa: E402
from search.supernet.rules.growing import Growing  # noqa: E402
from search.supernet.rules.relaxed import Relaxed  # noqa: E402
from search.supernet.rules.sandwich import Sandwich  # noqa: E402
from search.supernet.rules.shrinking import Shrinking  # noqa: E402
from search.supernet.rules.uniform import Uniform  # noqa: E402
from search.supernet.training import Sharing, train_supernet  # noqa: E402
from spaces.tasks import Data  # noqa: E402
from spaces.tasks.parquet import Parquet  # noqa: E402

WAYS: dict[str, dict[str, Any]] = {
    "fair": {"rule": Fair()},
    "uniform": {"rule": Uniform()},
    "uniform, 4 paths split": {"rule": Uniform(paths=4), "split": True},
    "fair, split": {"rule": Fair(), "split": True},
    "sandwich": {"rule": Sandwich()},
    "sandwich, labels": {"rule": Sandwich(), "distill": False},
    "fair, cut": {"rule": Fair(), "cut": Cutting()},
    "relaxed": {"rule": Relaxed()},
    "growing": {"rule": Growing()},
    "attentive": {"rule": Attentive()},
    "sandwich, alpha": {"rule": Sandwich(), "divergence": "alpha"},
    "shrinking": {"rule": Shrinking()},
}
SCORES = "without training"


def trained(way: str, seed: int, data: Data, arguments: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    """The supernet after its minutes of the processor, and what they were spent on."""
    supernet: Any = macro_supernet(arguments.size, arguments.width, seed)
    config = Sharing(10_000, arguments.minutes, arguments.batch, arguments.lr)
    steps, began = 0, time.process_time()
    config = replace(config, **WAYS[way])

    def seen() -> None:
        nonlocal steps
        steps += 1
        if steps % 100 == 0:
            print(f"  {way}: {steps} steps, {time.process_time() - began:.0f} s", file=sys.stderr, flush=True)

    course = train_supernet(supernet, data, config, seed, before_step=seen, clock=time.process_time)
    cuts = [cut.sentence for cut in course.cuts.found]
    return supernet, {"steps": steps, "cpu_s": time.process_time() - began, "cuts": cuts}


def measured(way: str, seed: int, data: Data, rows: np.ndarray, table: Table, arguments: Any) -> list[dict[str, Any]]:
    """A line of results for a way, or one for each score without training."""
    truth, macs = table.accuracy[rows], table.cost[rows]
    if way == SCORES:
        found = {name: (scores, {}) for name, scores in baselines(data, rows, table, arguments.size, seed).items()}
    else:
        supernet, spent = trained(way, seed, data, arguments)
        found = {way: (inherited(supernet, data, rows, table, arguments.images), spent)}
    return [
        {"way": way, "name": name, "seed": seed, "setting": setting(arguments), **spent}
        | {part: asdict(tau) for part, tau in asdict_parts(ranking(scores, truth, macs)).items()}
        for name, (scores, spent) in found.items()
    ]


def asdict_parts(found: Any) -> dict[str, Any]:
    """The three taus of a ranking by name."""
    return {"overall": found.overall, "top": found.top, "alike": found.alike}


def setting(arguments: argparse.Namespace) -> list[float]:
    """What must be equal for lines to be compared."""
    names = ("minutes", "size", "width", "batch", "lr", "networks", "images")
    return [getattr(arguments, name) for name in names]


def table_of(lines: list[dict[str, Any]]) -> str:
    """The lines as a table, best first."""

    def shown(tau: dict[str, float]) -> str:
        return f"{tau['value']:.3f} [{tau['low']:.3f}, {tau['high']:.3f}]"

    text = ["| rule | seed | steps | CPU s | tau | of the best fifth | at like MACs |", "|---|---|---|---|---|---|---|"]
    for line in sorted(lines, key=lambda line: -line["overall"]["value"]):
        spent = f"{line.get('steps', '')} | {line.get('cpu_s', 0):.0f}"
        taus = " | ".join(shown(line[part]) for part in ("overall", "top", "alike"))
        text.append(f"| {line['name']} | {line['seed']} | {spent} | {taus} |")
    return "\n".join(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("LATHE_DATA"), help="folder of the Parquet files")
    parser.add_argument("--out", type=Path, required=True, help="file of results, added to")
    parser.add_argument("--ways", nargs="+", choices=[*WAYS, SCORES], default=[*WAYS])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--minutes", type=float, default=6.0, help="of the processor")
    parser.add_argument("--size", type=int, default=16)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--networks", type=int, default=200)
    parser.add_argument("--images", type=int, default=1000, help="validation images a network is judged by")
    arguments = parser.parse_args()
    if arguments.data is None:
        sys.exit("skipped: give the folder of the tables with --data or in $LATHE_DATA")
    torch.set_num_threads(1)
    keep_freed_memory()
    table = read_table(arguments.data, "macro")
    task = Parquet(str(arguments.data / "cifar10-train.parquet"), str(arguments.data / "cifar10-test.parquet"),
                   size=arguments.size, crop_pixels=max(1, arguments.size // 8), flip=True)  # fmt: skip
    data = task.load()
    rows = np.random.default_rng(0).choice(len(table.codes), arguments.networks, replace=False)
    known = [json.loads(line) for line in arguments.out.read_text().splitlines()] if arguments.out.exists() else []
    known = [line for line in known if line["setting"] == setting(arguments)]
    for seed in arguments.seeds:
        for way in arguments.ways:
            if not any(line["way"] == way and line["seed"] == seed for line in known):
                new = measured(way, seed, data, rows, table, arguments)
                known += new
                with arguments.out.open("a") as file:
                    file.writelines(json.dumps(line) + "\n" for line in new)
                print(table_of(new), flush=True)
    print(f"\n{table_of(known)}")


if __name__ == "__main__":
    main()
