"""What comes out: the front measured thoroughly, and the variant that is chosen."""

import tempfile
from pathlib import Path

from compress.export.formats import beside
from search.choosing import file_that_ran
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
    device = job.config.device
    with tempfile.TemporaryDirectory(dir=job.folder) as folder:
        path = _laid_out(job, variant, Path(folder))
        found = when_reachable(job, device, lambda: measure_file(path, device, job, SHIPPED))
    job.ledger.record_measurements(job.id, variant.architecture_id, variant.id, [found])


def _laid_out(job: Job, variant: VariantRecord, folder: Path) -> Path:
    """The stored model with what its engine ran beside it, under the names that a device knows them by."""
    assert variant.model is not None
    store, path = job.ledger.store, folder / "model.onnx"
    path.symlink_to(store.path(variant.model))
    ran, name = file_that_ran(variant)
    if ran != variant.model:
        beside(path, name).symlink_to(store.path(ran))
    return path


def choose(job: Job, tree: Tree) -> VariantRecord | None:
    """The variant that ships, measured in three sessions; None if not even a start meets the limits."""
    found = best(tree.seen(), job.config.compress.max_drop)
    if found is None or found.numbers is None or found.numbers.broken:
        return None
    return next(v for v in tree.variants if v.id == found.id)
