"""Twenty latency budgets searched on one supernet, none broken: python studies/benchmarks/latency_budgets.py

Trains a supernet of the digits space once. For each of 20 limits, spread over the latencies of random networks, a study
searches with that supernet under that limit, measures its front and ships the file of the network of least loss on it,
by the code and rules of `search launch` (without a recipe: no training of winners, no baselines). Every shipped file
is then measured anew in seven fresh sessions, and its latency compared with the limit. With `--nearest` it is not the
network of least loss but the slowest that was measured and keeps the limit: the worst case. 15 s a limit.
"""

import argparse
import os
import random
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402  (reads the variable)

from compress.devices.sessions import measure_sessions  # noqa: E402
from compress.measurement import Measurement  # noqa: E402
from compress.variant import Variant  # noqa: E402
from search.choosing import ship  # noqa: E402
from search.config.study import StudyConfig, read_config  # noqa: E402
from search.fronts import is_within_limits, measured_front, nearest_miss  # noqa: E402
from search.latency import measuring  # noqa: E402
from search.main_loop import trained_supernet, try_networks  # noqa: E402
from search.screen import by_shared_weights, extract_calibrated  # noqa: E402
from search.state.ledger import Ledger  # noqa: E402
from search.state.records import TrialRecord  # noqa: E402
from search.study import Study, open_study  # noqa: E402
from search.supernet.shared_weights import Supernet  # noqa: E402
from search.watch import Watch  # noqa: E402
from search.winners import Chain  # noqa: E402
from spaces.architecture import Architecture  # noqa: E402
from spaces.space import sample  # noqa: E402

SPACE = Path(__file__).parents[1] / "digits" / "space.yaml"
DEVICE, LIMIT = "here", "limits.latency_ms@here"
SAMPLE, SESSIONS = 16, 7
QUICK = ("compress.steps=[]", "compress.keep=1", "search.calibration=8")


@dataclass(frozen=True)
class Shipped:
    """A limit in ms, what the study said of the file that it ships, and what the file is in fresh sessions."""

    limit: float
    said: Measurement
    anew: Measurement
    accuracy: float


def config_of(name: str, trials: int, exports: int, *more: str) -> StudyConfig:
    return read_config(SPACE, (*QUICK, f"study={name}", f"search.trials={trials}", f"search.exports={exports}", *more))


def limits_of(study: Study, count: int) -> np.ndarray:
    """Limits in ms from the fastest tenth to the slowest twentieth of some random networks."""
    rng = random.Random("limits")
    found = [measuring.measure_architecture(sample(study.space, rng), DEVICE, study).value for _ in range(SAMPLE)]
    return np.quantile(found, np.linspace(0.1, 0.95, count))


def shipped_under(limit: float, study: Study, supernet: Supernet, nearest: bool) -> Shipped | None:
    """Search, measure the front, ship; None where nothing keeps the limit, and the study says why."""
    try_networks(study, by_shared_weights(supernet, study))
    front = measured_front(study, "search", measuring.SHIPPING, max(2, study.config.search.exports - study.exports))
    if not front:
        print(f"| {limit:.4f} | nothing: {nearest_miss(study)} |", flush=True)
        return None
    chosen = min(front, key=lambda trial: trial.values["loss"])
    if nearest:
        able = [
            t for t in study.of("search") if t.state == "done" and study.is_measured(t) and is_within_limits(study, t)
        ]
        chosen = max(able, key=lambda trial: study.measured[trial.architecture_id, DEVICE].value)
    develop(study, chosen, supernet)
    record = ship(study)
    if record is None or record.model is None:
        print(f"| {limit:.4f} | nothing keeps the limit once its file is measured again |", flush=True)
        return None
    spec, file = study.config.devices[DEVICE], study.ledger.store.path(record.model)
    (anew,) = measure_sessions(spec, [file], measuring.reference_file(study), DEVICE, SESSIONS)
    said = next(m for m in record.measurements if m.metric == "latency_ms")
    accuracy = next(e.value for e in record.evaluations if e.metric == "accuracy")
    return Shipped(limit, said, measuring.anchored(anew, measuring.reference_latency_ms(DEVICE, study)), accuracy)


def develop(study: Study, trial: TrialRecord, supernet: Supernet) -> None:
    """The trial's network as it is in the supernet, exported, evaluated and measured as a winner is."""
    assert trial.architecture is not None
    arch = Architecture.from_json(trial.architecture.json)
    chain = Chain(study, "winner", {}, trial.id, None)
    chain.run("inherit", lambda: Variant(arch, extract_calibrated(supernet, arch, study)), {}, ())  # type: ignore[arg-type]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limits", type=int, default=20)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--exports", type=int, default=16)
    parser.add_argument("--nearest", action="store_true", help="ship what is nearest to the limit")
    parser.add_argument("--epochs", type=int, default=4, help="of the supernet")
    arguments = parser.parse_args()
    effort = arguments.trials, arguments.exports
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder) / "first.db"
        with Ledger.open(str(first)) as ledger:
            config = config_of("supernet", *effort, f"supernet.epochs={arguments.epochs}")
            study = open_study(config, ledger, Watch(quiet=True))
            supernet = trained_supernet(study)
            limits = limits_of(study, arguments.limits)
        print("| limit ms | shipped: said [interval] | measured anew [interval] | against the limit | accuracy % |")
        print("|---|---|---|---|---|")
        found = []
        for number, limit in enumerate(limits):
            database = Path(folder) / f"{number}.db"
            shutil.copy(first, database)  # what the device is, and its reference's latency
            with Ledger.open(str(database)) as ledger:
                config = config_of(f"budget-{number}", *effort, f"{LIMIT}={limit:.6f}")
                one = shipped_under(limit, open_study(config, ledger, Watch(quiet=True)), supernet, arguments.nearest)
            if one is not None:
                found.append(one)
                said, anew = (f"{m.value:.4f} [{m.low:.4f}, {m.high:.4f}]" for m in (one.said, one.anew))
                against = f"{100 * (one.anew.value / limit - 1):+.2f} %"
                print(f"| {limit:.4f} | {said} | {anew} | {against} | {100 * one.accuracy:.1f} |", flush=True)
    over = [one for one in found if one.anew.value > one.limit]
    clear = [one for one in found if one.anew.low > one.limit]
    print(f"\n{len(found)} of {len(limits)} limits: a network was shipped, load {os.getloadavg()[0]:.1f}")
    print(f"measured anew {len(over)} above the limit, {len(clear)} of them with the whole interval")


if __name__ == "__main__":
    main()
