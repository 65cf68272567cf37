"""How many variants a tuner makes to reach the best of the whole grid: python studies/benchmarks/tune.py --seeds 20

A small convolutional network is trained on digits (719 validation images), and every recipe of a grid is made once,
exported, evaluated and measured here: that table is a study (runs/tune.db), so a killed run goes on. Each tuner is then
replayed on it. A recipe shares what is on the way to it with others, for tuners and grid alike, and every variant
counts as one evaluation. Reached: what the tuner would ship is at most 3 % slower and half a point less accurate than
what would be shipped if all were known. Prints Markdown; the table takes about 3 minutes of a core, a tuner seconds.
With `--cifar FOLDER` the same for ResNet-8 on CIFAR-10, after studies/resnet8/train.py; that table takes a few minutes.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[2]))

import torch  # noqa: E402  (reads the variable)
from torch import Tensor, nn  # noqa: E402

RUNS = Path(__file__).parents[1] / "runs"
WEIGHTS = RUNS / "tune.pt"
TASK = {"kind": "digits", "validation": 0.4, "test": 0.1}
SLOWER, LESS = 1.03, 0.005  # of the grid's best: how much slower, how much less accurate
TRIES = 400
RECIPES = """\
study: tune-benchmark
devices: {here: {kind: onnxruntime, threads: 1}}
max_drop: 1.0
"""
TUNE = """\
tune:
  evaluations: 100000
  cheap_epochs: 1
  cheap_images: 1
  steps:
"""
DIGITS = f"""\
{RECIPES}task: {{kind: digits, validation: 0.4, test: 0.1}}
{TUNE}
    - distill: {{loss: [logits, dkd], epochs: 3}}
    - prune: {{ratio: [0.25, 0.5, 0.625, 0.75], importance: [magnitude, taylor], epochs: 3}}
    - quantize: {{kind: int8-static, method: [minmax, percentile]}}
    - quantize: {{kind: int8-dynamic}}
"""
# The network was trained on the training images, so recipes see others: 2,000 to train on, 1,600 to judge.
CIFAR = f"""\
{RECIPES}task: {{kind: parquet, path: FOLDER/cifar10-test.parquet, limit: 4000, validation: 0.4, test: 0.1, flip: true}}
{TUNE}
    - prune: {{ratio: [0.25, 0.375, 0.5, 0.625, 0.75, 0.875], importance: [magnitude, taylor, bn], epochs: 1}}
    - quantize: {{kind: int8-static, method: [minmax, percentile], images: [32, 256]}}
    - quantize: {{kind: int8-dynamic}}
"""
RESNET8 = Path(__file__).parents[1] / "resnet8" / "model.py"


class Net(nn.Module):
    """Four 3 x 3 convolutions, 32 and 64 wide; (N, 1, 8, 8) -> (N, 10). 65 k parameters."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        sizes = ((1, width, 1), (width, width, 1), (width, 2 * width, 2), (2 * width, 2 * width, 1))
        layers = [nn.Sequential(nn.Conv2d(i, o, 3, stride, 1), nn.BatchNorm2d(o), nn.ReLU()) for i, o, stride in sizes]
        self.body, self.head = nn.Sequential(*layers), nn.Linear(2 * width, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).mean((2, 3)))


def trained() -> Net:
    """The network with its weights; trained at the first call."""
    from compress.train import Training, fit, hard_labels
    from spaces.tasks import TASKS

    torch.manual_seed(0)
    network = Net()
    if WEIGHTS.exists():
        network.load_state_dict(torch.load(WEIGHTS, weights_only=True))
        return network.eval()
    fit(network, TASKS.get("digits")(validation=0.4, test=0.1).load(), Training(12), hard_labels(), 0)  # type: ignore[call-arg]
    RUNS.mkdir(exist_ok=True)
    torch.save(network.state_dict(), WEIGHTS)
    return network


def table(db: Path, cifar: str):
    """(the space, what was seen of every recipe, the start among it), made as far as it is not there. cifar: the folder
    of CIFAR-10 for ResNet-8 on it; "" for digits."""
    from search.compressing import opened
    from search.config.recipe import read_recipe
    from search.state.ledger import Ledger
    from search.tuning.problem import Proposal
    from search.tuning.tree import Tree
    from search.watch import Watch

    RUNS.mkdir(exist_ok=True)
    recipe = RUNS / "tune.yaml"
    if cifar:
        recipe.write_text(CIFAR.replace("FOLDER", str(Path(cifar).resolve())))
        config = read_recipe(recipe, f"{RESNET8}:trained")
    else:
        trained()
        recipe.write_text(DIGITS)
        config = read_recipe(recipe, f"{Path(__file__).resolve()}:trained")
    assert config.tune is not None
    space, began = config.tune.space, time.monotonic()
    with Ledger.open(str(db)) as ledger, opened(config, ledger, Watch(quiet=True)) as job:
        assert job is not None
        tree = Tree(job, config.tune.settings)
        for index in range(len(space)):
            tree.grow(Proposal(space[index], False))
            if index % 10 == 0:
                print(f"{index} of {len(space)} recipes, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        return space, tree.seen()


def replay(name: str, space, known, seed: int, goal) -> tuple[int, int]:
    """(variants made until the grid's best was reached, how many that took of training seconds in percent)."""
    from search.tuning.problem import Problem
    from search.tuning.samplers import TUNERS
    from search.tuning.seen import best
    from search.tuning.space import Candidate

    start = Candidate(0, ())
    seen = {start: known[start]}
    for number in range(TRIES):
        proposal = TUNERS.get(name)(Problem(space, list(seen.values()), 1.0), 1000 * seed + number)
        if proposal is None:
            break
        for end in range(1, len(proposal.candidate.steps) + 1):
            part = Candidate(0, proposal.candidate.steps[:end])
            if part in seen:
                continue
            seen[part] = known[part]
            found = best(list(seen.values()), 1.0)
            if found and is_reached(found.numbers, goal):
                return len(seen) - 1, round(100 * sum(one.seconds for one in seen.values()) / seconds(known))
    return len(space), 100


def is_reached(found, goal) -> bool:
    return found.latency_ms <= SLOWER * goal.latency_ms and found.accuracy >= goal.accuracy - LESS


def seconds(known) -> float:
    return sum(one.seconds for one in known.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--tuners", nargs="*", default=["surrogate", "tpe", "random"])
    parser.add_argument("--cifar", default="", help="folder of CIFAR-10: ResNet-8 of studies/resnet8 on it")
    parser.add_argument("--db", type=Path, help="where the table is (runs/tune.db, runs/tune-cifar.db)")
    given = parser.parse_args()
    from search.tuning.seen import best

    space, everything = table(given.db or RUNS / ("tune-cifar.db" if given.cifar else "tune.db"), given.cifar)
    known = {one.candidate: one for one in everything}
    target = best(everything, 1.0)
    assert target is not None and target.numbers is not None
    start = everything[0].numbers
    assert start is not None
    print(f"\ngiven      {start.accuracy:.2%}  {start.latency_ms:.4f} ms  {start.size_bytes / 1e3:.1f} kB")
    print(f"grid       {len(space)} recipes, {seconds(known):.0f} s")
    n = target.numbers
    lost = f"{-n.drop:+.2f} points [{-n.high:+.2f}, {-n.low:+.2f}]"
    line = f"{n.accuracy:.2%} ({lost})  {n.latency_ms:.4f} ms  {n.size_bytes / 1e3:.1f} kB"
    print(f"its best   {line}  {space.describe(target.candidate)}")
    able = sum(is_reached(one.numbers, n) and one.numbers.high <= 1.0 for one in everything if one.numbers)
    print(f"as good    {able} of the grid's recipes count as reaching it\n")
    heads = ("tuner", "evaluations, median", "mean", "most", "grid / median", "% of the grid's seconds, median")
    print(f"| {' | '.join(heads)} |\n" + "|---" * len(heads) + "|")
    for name in given.tuners:
        found = [replay(name, space, known, seed, n) for seed in range(given.first, given.first + given.seeds)]
        made, share = [one[0] for one in found], [one[1] for one in found]
        middle, mean = statistics.median(made), statistics.mean(made)
        cells = f"{middle:g} | {mean:.1f} | {max(made)} | {len(space) / middle:.1f} | {statistics.median(share):g}"
        print(f"| {name} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
