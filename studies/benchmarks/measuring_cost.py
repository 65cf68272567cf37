"""What measuring costs while searching: python studies/benchmarks/measuring_cost.py [--trials 200]

First so many random networks of the digits space are measured as a study screens them, each from its description to its
latency: seconds of exporting, of the session beside the reference and of the rest. Then a whole search stage on a
supernet that was not trained, which costs the same: `--trials` networks, of which those are measured that may matter.
Seconds by the clock and of the processor, which other programs on the machine disturb less. Two minutes.
"""

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from search.config.study import read_config  # noqa: E402  (numpy reads the variable)
from search.latency import measuring  # noqa: E402
from search.main_loop import try_networks  # noqa: E402
from search.screen import by_shared_weights, extract_calibrated  # noqa: E402
from search.state.ledger import Ledger  # noqa: E402
from search.study import Study, open_study  # noqa: E402
from search.supernet.shared_weights import build_supernet  # noqa: E402
from search.watch import Watch  # noqa: E402
from spaces.space import sample  # noqa: E402

SPACE = Path(__file__).parents[1] / "digits" / "space.yaml"
NETWORKS, WARM_UP = 30, 3
Seconds = tuple[float, float]  # by the clock, of the processor


@contextmanager
def timed(into: list[Seconds]) -> Iterator[None]:
    """Append what the block takes."""
    wall, busy = time.perf_counter(), time.process_time()
    yield
    into.append((time.perf_counter() - wall, time.process_time() - busy))


def watched(function: Callable[..., Any], into: list[Seconds]) -> Callable[..., Any]:
    """The function, with every call timed."""

    def call(*args: Any, **kwargs: Any) -> Any:
        with timed(into):
            return function(*args, **kwargs)

    return call


def cell(found: list[Seconds]) -> str:
    """Median by the clock and of the processor."""
    wall, busy = (statistics.median(column) for column in zip(*found, strict=True))
    return f"{wall:.3f} | {busy:.3f}"


def networks(study: Study) -> None:
    """The cost of one measurement, in parts."""
    rng, whole, exports, sessions = random.Random(1), list[Seconds](), list[Seconds](), list[Seconds]()
    device = study.devices[0]
    kept = measuring.export_for_screening, measuring.measure_sessions
    latencies = []
    for number in range(WARM_UP + NETWORKS):
        arch = sample(study.space, rng)
        if number == WARM_UP:  # until then the exporter, the engine and the reference are loaded
            measuring.export_for_screening = watched(kept[0], exports)
            measuring.measure_sessions = watched(kept[1], sessions)
            whole.clear()
        with timed(whole):
            latencies.append(measuring.measure_architecture(arch, device, study).value)
    measuring.export_for_screening, measuring.measure_sessions = kept
    print(f"{NETWORKS} networks of {min(latencies):.3f} to {max(latencies):.3f} ms, medians\n")
    print("| part | s by the clock | s of the processor |\n|---|---|---|")
    for name, found in (("export", exports), ("session beside the reference", sessions), ("all", whole)):
        print(f"| {name} | {cell(found)} |")


def stage(study: Study) -> None:
    """The cost of a search stage."""
    supernet = build_supernet(study.space, study.seed)
    extract_calibrated(supernet, study.proposer.random_architecture(0), study)  # loads what is loaded late
    seconds = list[Seconds]()
    with timed(seconds):
        try_networks(study, by_shared_weights(supernet, study))
    tried, ((wall, busy),) = len(study.of("search")), seconds
    told = f"{wall:.0f} s by the clock, {busy:.0f} s of the processor"
    print(f"\n{tried} networks screened, {study.exports} of them measured: {told}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, work in (("networks", networks), ("stage", stage)):
            config = read_config(SPACE, (f"study={name}", f"search.trials={arguments.trials}"))
            with Ledger.open(str(Path(folder) / f"{name}.db")) as ledger:
                work(open_study(config, ledger, Watch(quiet=True)))
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
