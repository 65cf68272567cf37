"""Kolmogorov-Arnold networks against their twins of plain layers, at equal measured latency.

At equal parameters such a network can look good and be four times as slow: what a device pays for is time. So every
winner that has such blocks is trained alone beside a twin whose MLPs are as wide as the same latency allows.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from compress.devices import formats_of
from compress.evaluate import Quality, accuracy_drop, evaluate
from compress.train import Training
from search.alone import trained_alone
from search.latency.measuring import export_screened
from search.latency.parts import measure_parts
from search.stages import stage
from search.state.records import TrialRecord
from search.study import Study
from spaces.architecture import Architecture
from spaces.blocks.block import HasTwin
from spaces.counts import count

KIND = "twin"  # of the events, one a race; search.report.twins reads them
SCALES = (0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12)  # hidden channels of the twin's MLPs, of the network's own
EQUAL_WITHIN = 1.02


def race_twins(study: Study, trials: Sequence[TrialRecord]) -> None:
    """Race every network of `trials` that has a twin, and record what came out; what is recorded is not repeated.

    Cost: two trainings as long as the supernet's, and a dozen measurements, for each.
    """
    known = {row["architecture"] for row in study.ledger.event_data(study.id, KIND)}
    archs = {t.number: Architecture.from_json(t.architecture.json) for t in trials if t.architecture}
    waiting = {number: arch for number, arch in archs.items() if arch.id not in known and has_twin(arch)}
    if not waiting:
        return
    with stage(study, "twins", len(waiting)):
        for done, (number, arch) in enumerate(waiting.items()):
            study.watch.advance(done, f"trial {number} against its twin")
            study.event(KIND, f"trial {number} against its twin", {"trial": number} | race(study, arch))
            study.watch.advance(done + 1)


def has_twin(arch: Architecture) -> bool:
    """Whether any block of it has one."""
    return any(isinstance(block, HasTwin) for stage in arch.stages for block in stage.blocks)


def twin_of(arch: Architecture, scale: float) -> Architecture:
    """The architecture with the twin of every block that has one."""
    stages = (
        replace(stage, blocks=tuple(b.twin(scale) if isinstance(b, HasTwin) else b for b in stage.blocks))
        for stage in arch.stages
    )
    return replace(arch, stages=tuple(stages))


def race(study: Study, arch: Architecture) -> dict[str, Any]:
    """What a network and the widest twin that is as fast reach on validation, each trained alone alike."""
    twin, own_ms, twin_ms = equal_twin(study, arch)
    own, other = _alone(study, arch), _alone(study, twin)
    drop, low, high = accuracy_drop(other, own)
    return {
        "architecture": arch.id,
        "description": arch.describe(),
        "twin": twin.describe(),
        "device": study.devices[0],
        "latency_ms": own_ms,
        "twin_latency_ms": twin_ms,
        "params": count(arch).params,
        "twin_params": count(twin).params,
        "accuracy": own.accuracy,
        "twin_accuracy": other.accuracy,
        "images": own.n,
        "points": [-drop, -high, -low],
        "epochs": study.config.supernet.epochs,
    }


def equal_twin(study: Study, arch: Architecture) -> tuple[Architecture, float, float]:
    """(twin, latency_ms of `arch`, of the twin): of the twins that are no slower the slowest, or the fastest there is.

    All are measured in the same rounds on the device that judges.
    """
    twins = list({twin.id: twin for twin in (twin_of(arch, scale) for scale in SCALES)}.values())
    with tempfile.TemporaryDirectory(dir=study.folder) as folder:
        formats, screen = formats_of(study.config.devices[study.devices[0]]), study.config.search.screen
        files = [
            export_screened(each, study.data, Path(folder) / f"{each.id[:16]}.onnx", formats, screen)
            for each in (arch, *twins)
        ]
        own_ms, *others_ms = [found.value for found in measure_parts(files, study.devices[0], study)]
    as_fast = [at for at, latency_ms in enumerate(others_ms) if latency_ms <= own_ms * EQUAL_WITHIN]
    best = max(as_fast, key=others_ms.__getitem__) if as_fast else min(range(len(twins)), key=others_ms.__getitem__)
    return twins[best], own_ms, others_ms[best]


def _alone(study: Study, arch: Architecture) -> Quality:
    """Trained from nothing as long as the supernet was, as the hand-made network is."""
    shared, seed = study.config.supernet, study.config.search.seed
    training = Training(shared.epochs, batch=shared.batch, lr=shared.lr)
    network = trained_alone(arch, study.data, training, seed, study.watch.check)
    return evaluate(network, study.data, study.data.validation)
