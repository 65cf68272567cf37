"""Which rule of training shared weights ranks the networks of a space file as training each of them alone does, for the
same seconds of the processor:

    LATHE_DATA=FOLDER python studies/benchmarks/rules_on_space.py --out FOLDER [--space studies/cifar10/hour.yaml]
        [--networks 96] [--alone 6] [--minutes 6] [--ways fair sandwich ...] [--seeds 0 1]

Random networks within the limits are trained alone for --alone epochs, once; then every way trains a supernet for so
many minutes of the processor by its clock, and all networks are judged with its weights by other images of the
validation part than those that judged them alone. What is done is a line of a file in --out and is not done again;
`--ways none` with `--part 0/2` and, beside it, `--part 1/2` trains the networks alone in two processes. Prints
Kendall's tau-b over all, in the best fifth and in fifths of like MACs, each with its 95 % bootstrap interval over
networks, and the points of accuracy that are lost when the best by score is taken in each fifth of like MACs.
"""

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402  (reads the variable)
import torch  # noqa: E402
from rules import WAYS  # noqa: E402

from compress.evaluate import evaluate  # noqa: E402
from compress.memory import keep_freed_memory  # noqa: E402
from compress.recalibrate import IMAGES, recalibrate  # noqa: E402
from compress.train import Training  # noqa: E402
from search.alone import trained_alone  # noqa: E402
from search.config.study import StudyConfig, read_config  # noqa: E402
from search.limits import feasible_sample  # noqa: E402
from search.study import exact_limits  # noqa: E402
from search.supernet.ranking import BINS, ranking  # noqa: E402
from search.supernet.shared_weights import Supernet, build_supernet  # noqa: E402
from search.supernet.training import train_supernet  # noqa: E402
from spaces.architecture import Architecture  # noqa: E402
from spaces.counts import count  # noqa: E402
from spaces.space import SearchSpace  # noqa: E402
from spaces.tasks import Data, Split  # noqa: E402

SPACE = Path(__file__).parents[1] / "cifar10" / "hour.yaml"
SMALLER = ["task.size=16", "task.limit=30000", "task.validation=0.3"]  # than an hour of the study takes
SCREENED = 2000  # images that judge a network with shared weights; the rest of the validation part judges it alone


@dataclass(frozen=True)
class Bench:
    """The study, its data in two parts of the validation images, and the networks that are ranked."""

    config: StudyConfig
    data: Data
    space: SearchSpace
    screening: Split
    judging: Split
    networks: list[Architecture]

    @staticmethod
    def of(arguments: argparse.Namespace) -> "Bench":
        config: Any = read_config(arguments.space, arguments.override)
        data = config.task.load()
        space, whole = config.space(data), data.validation
        parts = (Split(whole.x[:SCREENED], whole.y[:SCREENED]), Split(whole.x[SCREENED:], whole.y[SCREENED:]))
        return Bench(config, data, space, *parts, list(drawn(space, *exact_limits(config), arguments.networks)))


def drawn(space: SearchSpace, limits: dict[str, float], weight_bytes: int, networks: int) -> Iterator[Architecture]:
    """Different random networks within the limits; the first n of more are those of n."""
    seen, index = set[str](), 0
    while len(seen) < networks:
        arch = feasible_sample(space, limits, weight_bytes, random.Random(f"rules_on_space/{index}"))
        index += 1
        if arch.id not in seen:
            seen.add(arch.id)
            yield arch


def lines(path: Path) -> list[dict[str, Any]]:
    """What is done."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def add(path: Path, line: dict[str, Any]) -> None:
    """A line more, whole even where two processes write."""
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")


def train_all(bench: Bench, arguments: argparse.Namespace) -> dict[str, float]:
    """The accuracy of every network of this part that was trained alone, by id."""
    path, epochs, settings = arguments.out / "alone.jsonl", arguments.alone, bench.config.supernet
    known = {line["id"]: line["accuracy"] for line in lines(path) if line["epochs"] == epochs}
    for arch in part_of(bench.networks, arguments.part):
        if arch.id not in known:
            began = time.process_time()
            training = Training(epochs, batch=settings.batch, lr=settings.lr)
            quality = evaluate(trained_alone(arch, bench.data, training, 0), bench.data, bench.judging)
            spent = {"cpu_s": time.process_time() - began, "macs": count(arch).macs}
            add(path, {"id": arch.id, "epochs": epochs, "accuracy": quality.accuracy, "loss": quality.loss, **spent})
            known[arch.id] = quality.accuracy
            print(f"  alone: {len(known)} networks, {spent['cpu_s']:.0f} s", file=sys.stderr, flush=True)
    return known


def part_of(networks: list[Architecture], part: str) -> list[Architecture]:
    """Every n-th of them from the k-th on, for `k/n`."""
    if part == "none":
        return []
    first, parts = map(int, part.split("/"))
    return networks[first::parts]


def shared(bench: Bench, way: str, seed: int, minutes: float) -> dict[str, Any]:
    """A line: what every network loses with the weights that a way trained."""
    supernet, steps, began = build_supernet(bench.space, seed), 0, time.process_time()
    config = replace(bench.config.supernet, epochs=10_000, minutes=minutes, rule=WAYS["uniform"]["rule"], distill=True)
    config = replace(config, **WAYS[way])

    def seen() -> None:
        nonlocal steps
        steps += 1

    train_supernet(supernet, bench.data, config, seed, before_step=seen, clock=time.process_time)
    spent = time.process_time() - began
    losses = [-loss for loss in map(inherited(bench, supernet), bench.networks)]
    return {"way": way, "seed": seed, "minutes": minutes, "steps": steps, "cpu_s": spent, "scores": losses}


def inherited(bench: Bench, supernet: Supernet) -> Callable[[Architecture], float]:
    """The screening loss of a network with shared weights, its statistics measured again."""
    calibration = bench.data.normalise(bench.data.train.x[:IMAGES])

    def loss(arch: Architecture) -> float:
        network = supernet.extract(arch)
        recalibrate(network, calibration)
        return evaluate(network, bench.data, bench.screening).loss

    return loss


def lost(scores: np.ndarray, truth: np.ndarray, macs: np.ndarray) -> float:
    """Points of accuracy between the best of a fifth of like MACs and the one that the scores take, on average."""
    bins = [rows for rows in np.array_split(np.argsort(macs, kind="stable"), BINS) if len(rows)]
    return 100 * float(np.mean([truth[rows].max() - truth[rows][scores[rows].argmax()] for rows in bins]))


def table_of(ranked: list[dict[str, Any]], networks: list[Architecture], known: dict[str, float]) -> str:
    """The lines as a table, best over all first; of the networks that were trained alone."""
    at = [index for index, arch in enumerate(networks) if arch.id in known]
    truth = np.array([known[networks[index].id] for index in at])
    macs = np.array([count(networks[index]).macs for index in at])
    text = ["| rule | seed | steps | CPU s | tau | of the best fifth | at like MACs | points lost |", "|---" * 8 + "|"]
    rows = []
    for line in ranked:
        scores = np.array(line["scores"])[at]
        found = ranking(scores, truth, macs)
        taus = f"{found.overall} | {found.top} | {found.alike} | {lost(scores, truth, macs):.2f}"
        spent = f"{line['seed']} | {line['steps']:,} | {line['cpu_s']:.0f}"
        rows.append((found.overall.value, f"| {line['way']} | {spent} | {taus} |"))
    return "\n".join([*text, *(row for _, row in sorted(rows, reverse=True))])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", type=Path, default=SPACE)
    parser.add_argument("-o", "--override", nargs="+", default=SMALLER)
    parser.add_argument("--out", type=Path, required=True, help="folder of results, added to")
    parser.add_argument("--networks", type=int, default=96)
    parser.add_argument("--alone", type=int, default=6, help="epochs of each network that is trained alone")
    parser.add_argument("--part", default="0/1", help="of the networks to train alone, `none` for nobody")
    parser.add_argument("--ways", nargs="+", choices=[*WAYS, "none"], default=[*WAYS])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--minutes", type=float, default=6.0, help="of the processor")
    arguments = parser.parse_args()
    if "LATHE_DATA" not in os.environ:
        sys.exit("skipped: give the folder of the tables in $LATHE_DATA")
    torch.set_num_threads(1)
    keep_freed_memory()
    arguments.out.mkdir(parents=True, exist_ok=True)
    bench, path = Bench.of(arguments), arguments.out / "ranked.jsonl"
    known = train_all(bench, arguments)
    for seed in arguments.seeds:
        for way in [way for way in arguments.ways if way != "none"]:
            key = {"way": way, "seed": seed, "minutes": arguments.minutes}.items()
            if not any(key <= line.items() and len(line["scores"]) >= len(bench.networks) for line in lines(path)):
                add(path, shared(bench, way, seed, arguments.minutes))
                print(f"  {way}, seed {seed}: ranked", file=sys.stderr, flush=True)
    print(table_of([line for line in lines(path) if line["minutes"] == arguments.minutes], bench.networks, known))


if __name__ == "__main__":
    main()
