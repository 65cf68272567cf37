"""What comes out: the front measured thoroughly, and the variant that is chosen."""

from search.compressing import Job
from search.latency.measuring import SHIPPED, measure_file
from search.latency.reach import when_reachable
from search.state.records import VariantRecord
from search.tuning.seen import best, front_of
from search.tuning.tree import Tree

MOST = 12  # variants of the front that are measured again


def measure_front(job: Job, tree: Tree) -> None:
    """Measure what may be chosen in as many sessions as what ships: first what is best, then the rest of the front."""
    measured: set[int] = set()
    while len(measured) < MOST:
        job.watch.check()
        seen = tree.seen()
        top = best(seen, job.config.compress.max_drop)
        order = [*([top] if top else []), *front_of(seen, job.config.compress.max_drop)]
        waiting = next((one for one in order if one.id not in measured), None)
        if waiting is None:
            return
        _measure(job, next(v for v in tree.variants if v.id == waiting.id))
        tree.read_again()
        measured.add(waiting.id)
        job.watch.advance(len(measured) / (len(measured) + 1), f"{len(measured)} of the front measured")


def _measure(job: Job, variant: VariantRecord) -> None:
    assert variant.model is not None
    path, device = job.ledger.store.path(variant.model), job.config.device
    found = when_reachable(job, device, lambda: measure_file(path, device, job, SHIPPED))
    job.ledger.record_measurements(job.id, variant.architecture_id, variant.id, [found])


def choose(job: Job, tree: Tree) -> VariantRecord | None:
    """The variant that ships, measured in three sessions; None if not even a start meets the limits."""
    found = best(tree.seen(), job.config.compress.max_drop)
    if found is None or found.numbers is None or found.numbers.broken:
        return None
    return next(v for v in tree.variants if v.id == found.id)
