"""What the search loop itself costs a trial: python studies/benchmarks/loop_overhead.py [--trials 10000]

Asks, checks limits and repeats, records in a fresh SQLite database and tells, in the digits space with its limits, with
a formula instead of a supernet. Prints milliseconds a trial by the clock, median and 95th percentile, and the mean of
the processor's, which other programs disturb less and which counts the dear trials of a batch, after several numbers of
random trials. Those before the timed ones are replayed as on resume; the database holds the timed ones only.
"""

import argparse
import math
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402  (reads the variable)

from search.config.study import StudyConfig, read_config  # noqa: E402
from search.propose import Proposal, Proposer  # noqa: E402
from search.state.ledger import Ledger  # noqa: E402
from search.state.records import TrialRecord  # noqa: E402
from search.study import architecture_record  # noqa: E402
from search.suggest import first_options, params_of  # noqa: E402
from spaces.counts import count  # noqa: E402
from spaces.space import SearchSpace  # noqa: E402

SPACE = Path(__file__).parents[1] / "digits" / "space.yaml"
AROUND = 64  # trials that are timed at each point: at least a whole batch of the surrogate


def formula(proposal: Proposal) -> dict[str, float]:
    """A loss and a latency without training."""
    counts = count(proposal.arch)
    loss = 5 / math.log(counts.params) + 0.01 * math.sin(int(proposal.arch.id[:4], 16))
    return {"loss": loss, "latency_ms@here": counts.macs / 2e7 + 0.01 * proposal.arch.depth}


def trial_of(proposal: Proposal) -> TrialRecord:
    """The row of a finished trial."""
    values = formula(proposal)
    return TrialRecord(
        proposal.number, proposal.arch.id, proposal.params, proposal.system_attrs, values,
        dict.fromkeys(values, "measured"), "done", architecture=architecture_record(proposal.arch),
    )  # fmt: skip


def proposer_of(config: StudyConfig, sampler: str) -> Proposer:
    """As `open_study` makes it."""
    space = SearchSpace((1, 8, 8), 10, config.stem_width, config.stem_stride, config.stages)
    exact = {name: value for name, value in config.limits.items() if "@" not in name}
    return Proposer(space, config.objectives, sampler, config.search.seed, exact, weight_bytes=1)


def one(asked: Proposer, ledger: Ledger, study: int, number: int) -> tuple[np.ndarray, TrialRecord]:
    """Milliseconds of one trial, by the clock and of the processor, without its evaluation."""
    began = now()
    proposal = asked.propose(number)
    asking = now() - began
    trial = trial_of(proposal)
    began = now()
    ledger.record_trial(study, trial)
    asked.tell(proposal, dict(trial.values))
    return asking + now() - began, trial


def earlier(asked: Proposer, count: int) -> list[TrialRecord]:
    """Different random feasible architectures, as trials that are done."""
    found = []
    for number in range(count):
        arch = asked.random_architecture(number)
        asked.seen.add(arch.id)
        params = params_of(asked.space, arch, first_options(asked.space))
        found.append(trial_of(Proposal(number, arch, params, {})))
    return found


def now() -> np.ndarray:
    """(2,) milliseconds of the clock and of the processor."""
    return 1000 * np.array([time.perf_counter(), time.process_time()])


def line(name: str, number: int, times: list[np.ndarray]) -> str:
    clock, processor = np.array(times).T
    cells = (np.median(clock), np.quantile(clock, 0.95), np.mean(processor))
    return f"| {name} | {number:,} | " + " | ".join(f"{cell:.1f}" for cell in cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--samplers", nargs="+", default=["random", "surrogate"])
    arguments = parser.parse_args()
    points = [n for n in (100, 1_000, 3_000, 10_000, 30_000) if n <= arguments.trials]
    config = read_config(SPACE)
    trials = earlier(proposer_of(config, "random"), max(points))
    print(
        "| sampler | after trials | ms a trial, median | 95th percentile | mean processor ms |\n|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as folder, Ledger.open(str(Path(folder) / "lathe.db")) as ledger:
        for name in arguments.samplers:
            for point in points:
                study = f"{name}-{point}"
                row = ledger.open_study(study, config.tree | {"study": study}, "none", {}, 0).id
                asked = proposer_of(config, name)
                asked.replay(trials[:point])
                one(asked, ledger, row, point)  # counts the pieces that are new to the process
                times = [one(asked, ledger, row, point + 1 + n)[0] for n in range(AROUND)]
                print(line(name, point, times), flush=True)


if __name__ == "__main__":
    main()
