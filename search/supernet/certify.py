"""Making a rank certificate: random networks of a study are trained alone and compared with what they inherit.

Every network is one event of the study, so an interrupted certificate goes on where it stopped, and one of more
networks keeps those there are. `search.supernet.certificate` says what they come to.
"""

import math
import random
from collections.abc import Iterator
from typing import Any

from compress.evaluate import Quality, evaluate
from compress.recalibrate import IMAGES, recalibrate
from compress.scratch import discard
from compress.train import Training, batches
from search.alone import fresh, trained_alone
from search.config.study import StudyConfig
from search.errors import NotFound, going_on
from search.limits import feasible_sample
from search.state.ledger import Ledger
from search.study import Study, architecture_record, open_study
from search.supernet.certificate import KIND
from search.supernet.checkpoint import load_weights
from search.supernet.proxies import score_all
from search.supernet.shared_weights import Supernet, build_supernet
from search.watch import Watch
from spaces.architecture import Architecture
from spaces.space import SearchSpace
from spaces.tasks import Table


def certify(config: StudyConfig, ledger: Ledger, networks: int, epochs: int, watch: Watch) -> None:
    """Train random feasible networks of the study alone until `networks` are recorded for `epochs` epochs.

    The training is that of the supernet (batch, learning rate, weight decay) but for its length. The study's state
    stays what it was. Raises: NotFound if the study has no trained supernet yet.
    """
    before = ledger.study(config.study)
    if isinstance(config.task, Table):
        raise NotFound(
            f"study {config.study!r} takes its networks from a table: it has no supernet that could rank them."
        )
    if ledger.load_checkpoint(before.id, "supernet") is None:
        raise NotFound(f"study {config.study!r} has no trained supernet yet. {going_on(config.study, before.state)}")
    study = open_study(config, ledger, watch)
    try:
        supernet = build_supernet(study.space, config.search.seed)
        load_weights(supernet, ledger.load_checkpoint(study.id, "supernet") or b"")
        known = {row["architecture"] for row in ledger.event_data(study.id, KIND) if row["epochs"] == epochs}
        with watch.interruptible(), watch.stage("certify", networks):
            for index, arch in enumerate(_drawn(study, supernet.space, networks)):
                if arch.id not in known:
                    study.event(KIND, f"network {index + 1}", _ranked(study, supernet, arch, epochs))
                watch.advance(index + 1, f"{index + 1} of {networks} networks")
    finally:
        discard(study.folder)
        if before.state != "done":  # which it has stayed, with the time at which it was
            ledger.set_state(study.id, before.state)


def _drawn(study: Study, space: SearchSpace, networks: int) -> Iterator[Architecture]:
    """Different random feasible networks of what training left of the space, the same for the same study."""
    proposer, seen = study.proposer, set[str]()
    for index in range(50 * networks):
        rng = random.Random(f"certify/{study.config.search.seed}/{index}")
        arch = feasible_sample(space, proposer.limits, proposer.weight_bytes, rng)
        if arch.id not in seen:
            seen.add(arch.id)
            yield arch
        if len(seen) == networks:
            return


def _ranked(study: Study, supernet: Supernet, arch: Architecture, epochs: int) -> dict[str, Any]:
    """What one network does with the shared weights and alone, and all scores of it fresh."""
    data, seed = study.data, study.config.search.seed
    record = architecture_record(arch)
    study.ledger.add_architecture(record.id, record.json, record.params, record.macs, record.peak_bytes)
    inherited = supernet.extract(arch)
    recalibrate(inherited, data.normalise(data.train.x[:IMAGES]))
    (largest,) = supernet.teachers(1, seed)
    proxies = score_all(fresh(arch, seed), next(batches(data, 64, seed, 0)), seed, fresh(largest, seed))
    shared = study.config.supernet
    training = Training(epochs, 0.0, shared.batch, shared.lr, shared.weight_decay, shared.clip, shared.smoothing)
    alone = trained_alone(arch, data, training, seed, study.watch.check)
    return {
        "architecture": arch.id,
        "epochs": epochs,
        "supernet": _plain(evaluate(inherited, data, data.validation)),
        "alone": _plain(evaluate(alone, data, data.validation)),
        "params": record.params,
        "macs": record.macs,
        "depth": arch.depth,
        "proxies": {name: None if math.isnan(value) else value for name, value in proxies.items()},
    }


def _plain(quality: Quality) -> dict[str, float]:
    return {"loss": quality.loss, "accuracy": quality.accuracy}
