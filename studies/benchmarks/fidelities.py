"""Is a race after short trainings worth its epochs: python studies/benchmarks/fidelities.py --out FILE [--seeds 0 1 2]

One search a seed, and its front developed in three ways: `chosen` by shared weights (`extra: 0`), by a `race`
(`extra: 2`), and chosen with the first step's epochs in two trainings (`in two`), which is what the race does to them.
Each way starts from a copy of the same database. Prints, of the networks that were developed and kept, the hypervolume
of validation loss and measured latency within the box of all ways of the seed, and the processor's seconds. What is
done is a line of --out and is not done again.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch  # noqa: E402  (reads the variable)

from compress.memory import keep_freed_memory  # noqa: E402
from search.config.study import StudyConfig, read_config  # noqa: E402
from search.config.winner_steps import with_epochs  # noqa: E402
from search.fidelities.race import finalists  # noqa: E402
from search.fronts import measured_front  # noqa: E402
from search.latency.measuring import SHIPPING  # noqa: E402
from search.main_loop import trained_supernet, try_networks, worth_of  # noqa: E402
from search.objectives import corner_of, hypervolume  # noqa: E402
from search.report.rungs import KIND  # noqa: E402
from search.state.ledger import Ledger  # noqa: E402
from search.study import open_study  # noqa: E402
from search.supernet.teacher import train_teacher  # noqa: E402
from search.watch import Watch  # noqa: E402
from search.winners import develop_winner  # noqa: E402

WAYS = ("chosen", "race", "in two")


def config_for(way: str, config: StudyConfig) -> StudyConfig:
    """The study's config, with what the way changes."""
    (name, first), *rest = config.steps
    epochs = first.epochs  # type: ignore[attr-defined]
    short = round(config.compress.short * epochs)
    if way == "in two":
        config = replace(
            config, steps=((name, with_epochs(first, short)), (name, with_epochs(first, epochs - short)), *rest)
        )
    return replace(config, compress=replace(config.compress, extra=2 if way == "race" else 0, alone_epochs=0))


def search(config: StudyConfig, db: Path) -> None:
    """Train the supernet, search, and measure the front."""
    with Ledger.open(str(db)) as ledger:
        study = open_study(config, ledger, Watch(quiet=True))
        try_networks(study, worth_of(study, trained_supernet(study)))
        measured_front(study, "search", SHIPPING, max(2, config.search.exports - study.exports))
        train_teacher(study, trained_supernet(study))
        ledger.set_state(study.id, "paused")


def developed(way: str, config: StudyConfig, db: Path) -> dict[str, Any]:
    """The networks that a way developed: trials, points of what was kept, the fates it told, and its seconds."""
    with Ledger.open(str(db)) as ledger:
        study = open_study(config, ledger, Watch(quiet=True))
        study.config = config_for(way, config)
        supernet = trained_supernet(study)
        teacher, front = train_teacher(study, supernet), measured_front(study, "search", SHIPPING, 0)
        began, trials = time.process_time(), list[int]()
        for trial in finalists(study, supernet, teacher[0], front):
            develop_winner(trial, supernet, teacher, study)
            trials.append(trial.number)
        seconds = time.process_time() - began
        points = [
            [
                next(e.value for e in variant.evaluations if e.metric == "loss"),
                next(m.value for m in variant.measurements if m.metric == "latency_ms"),
            ]
            for variant in ledger.variants(study.id)
            if variant.role == "winner" and variant.verdict in ("start", "accepted")
        ]
        fates = ledger.event_data(study.id, KIND)
        ledger.set_state(study.id, "paused")
    return {"way": way, "trials": trials, "points": points, "fates": fates, "cpu_s": seconds}


def table_of(lines: list[dict[str, Any]]) -> str:
    """Hypervolume and seconds of every way, a row a seed. The corner is that of what was trained to the end."""
    text = ["| seed | way | hypervolume | CPU s | trials |", "|---|---|---|---|---|"]
    for seed in sorted({line["seed"] for line in lines}):
        of_seed = [line for line in lines if line["seed"] == seed]
        ended = [point for line in of_seed for point in line["points"] if point[0] < 0.2]
        corner, ideal = corner_of(ended), [min(values) for values in zip(*ended, strict=True)]
        box = (corner[0] - ideal[0]) * (corner[1] - ideal[1])
        for line in of_seed:
            share = hypervolume(line["points"], corner) / box
            text.append(f"| {seed} | {line['way']} | {share:.3f} | {line['cpu_s']:.1f} | {line['trials']} |")
    return "\n".join(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", type=Path, default=Path("studies/digits/space.yaml"))
    parser.add_argument("--out", type=Path, required=True, help="file of results, added to")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    lines = [json.loads(line) for line in arguments.out.read_text().splitlines()] if arguments.out.exists() else []
    for seed in arguments.seeds:
        left = [way for way in arguments.ways if not any((x["seed"], x["way"]) == (seed, way) for x in lines)]
        if not left:
            continue
        config = read_config(arguments.space, (f"search.seed={seed}",))
        with tempfile.TemporaryDirectory() as folder:
            search(config, Path(folder) / "start" / "lathe.db")
            for way in left:
                shutil.copytree(Path(folder) / "start", Path(folder) / way)
                lines.append({"seed": seed, **developed(way, config, Path(folder) / way / "lathe.db")})
                with arguments.out.open("a") as file:
                    file.write(json.dumps(lines[-1]) + "\n")
                print(table_of(lines[-1:]), flush=True)
    print(f"\n{table_of(lines)}")


if __name__ == "__main__":
    main()
