"""What surrounds the work of a study: its stages, and the state it is left in."""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

from compress.scratch import discard
from search.errors import Interrupted
from search.report.costs import FINISHED, STOPPED
from search.watch import duration
from search.workplace import Workplace


@contextmanager
def stage(study: Workplace, name: str, total: float = 1.0) -> Iterator[None]:
    """Say what the study is doing until the block ends, and how long it took."""
    study.ledger.set_stage(study.id, name)
    began = time.monotonic()
    try:
        with study.watch.stage(name, total):
            yield
    finally:  # a stage that is interrupted took its time too
        study.seconds[name] = time.monotonic() - began


@contextmanager
def state_on_leaving(study: Workplace) -> Iterator[None]:
    """Whatever ends the run, the row says so, and scratch files are gone."""
    try:
        yield
        if study.record.state != "done":  # else it was done before, and nothing was worked on
            _tell_cost(study, FINISHED)
    except (Interrupted, KeyboardInterrupt):
        _tell_cost(study, STOPPED)
        study.ledger.set_state(study.id, "paused")
        raise
    except BaseException as error:
        study.event("failed", f"{type(error).__name__}: {error}", level="error")
        _tell_cost(study, STOPPED)
        study.ledger.set_state(study.id, "failed")
        raise
    finally:
        discard(study.folder)


def _tell_cost(study: Workplace, kind: str) -> None:
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = {name: round(value, 1) for name, value in study.seconds.items()}
    cost = {"seconds": seconds, "peak_mb": peak_mb}
    study.event(kind, f"{duration(sum(seconds.values()))}, {peak_mb:.0f} MB", cost)
