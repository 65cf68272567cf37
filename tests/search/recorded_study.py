"""A whole study written through the real ledger: made-up numbers, but rows, files and order as `launch` writes them."""

import math
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from compress.confusion import Confusion, confusion_of
from compress.measurement import Measurement, exact
from search.latency.measuring import PREDICTED
from search.state.confusions import record_confusion
from search.state.ledger import Ledger
from search.state.records import (
    ArchitectureRecord,
    ArtifactRecord,
    Evaluation,
    Parent,
    StudyRecord,
    TrialRecord,
    VariantRecord,
)
from spaces.architecture import Architecture
from spaces.space import BlockChoice, SearchSpace, StageSpace, sample

HERE = "e" * 64
MBCONV = BlockChoice("mbconv", (("kernel", (3, 5)), ("expand", (2, 4)), ("se", (False, True))))
KAN = BlockChoice("kan", (("ratio", (1, 2)),))
SPACE = SearchSpace(
    (1, 8, 8), 10, (8, 16), 1,
    (StageSpace((1, 2, 3), (16, 24, 32), 1, (MBCONV, KAN)), StageSpace((1, 2, 3), (32, 48, 64), 2, (MBCONV, KAN))),
)  # fmt: skip
CONFIG: dict[str, Any] = {
    "study": "digits-cpu",
    "task": {"kind": "digits", "validation": 0.2, "test": 0.2, "seed": 0},
    "supernet": {"rule": "sandwich", "epochs": 10},
    "search": {"sampler": "nsga2", "trials": 60, "seed": 0},
    "objectives": {"loss": "min", "latency_ms@here": "min"},
    "limits": {"params": 200000, "size": "400kB", "latency_ms@here": 0.25},
    "devices": {"here": {"kind": "onnxruntime", "threads": 1}},
    "compress": {
        "keep": 2,
        "max_drop": 1.0,
        "steps": [{"distill": {"loss": "logits"}}, {"prune": {}}, {"quantize": {}}],
    },
    "export": ["onnx"],
}
VERSIONS = {"python": "3.11.7", "torch": "2.13.0", "onnxruntime": "1.31.1", "lathe": "0.1.0"}


def record_study(url: str, name: str = "digits-cpu", *, until: str = "done", device: str = "here") -> StudyRecord:
    """Write a study that got as far as `until`: "search" (two thirds of the trials, still running) or "done"."""
    config = CONFIG | {"study": name, "devices": {device: CONFIG["devices"]["here"]}}
    config |= {"objectives": {"loss": "min", f"latency_ms@{device}": "min"}}
    config["limits"] = {"params": 200000, "size": "400kB", f"latency_ms@{device}": 0.25}
    with Ledger.open(url) as ledger:
        study = ledger.open_study(name, config, "d" * 64, VERSIONS, seed=0)
        spec = {"cpu": "Example CPU @ 2.0 GHz", "runtime": "onnxruntime 1.31.1", "threads": "1"}
        ledger.add_device(HERE, device, "onnxruntime", spec)
        for stage, total in (("space", 1), ("supernet", 10)):
            ledger.set_stage(study.id, stage)
            _progress(ledger, study.id, stage, total, total)
        for epoch in range(10):
            ledger.event(study.id, "info", "supernet", f"epoch {epoch + 1}", {"epoch": epoch, "loss": 2 / (epoch + 1)})
        ledger.set_stage(study.id, "search")
        rng = random.Random(1)
        seen: set[str] = set()
        count = 60 if until == "done" else 40
        trials = [_trial(n, "search", rng, seen, device) for n in range(count)]
        for trial in trials:
            ledger.record_trial(study.id, trial)
        _progress(ledger, study.id, "search", count, 60)
        if until == "done":
            _finish(ledger, study, trials, rng, seen, device)
        return ledger.study(name)


def _finish(
    ledger: Ledger, study: StudyRecord, trials: list[TrialRecord], rng: random.Random, seen: set[str], device: str
) -> None:
    ledger.set_stage(study.id, "baseline")
    for n in range(60, 120):
        ledger.record_trial(study.id, _trial(n, "random", rng, seen, device))
    error = "ValueError: the network put out a value that is not finite."
    arch, row = _new(rng, seen)
    failed = TrialRecord(120, arch.id, {}, {}, {}, {}, "failed", "random", error, row)
    ledger.record_trial(study.id, failed)
    ledger.event(study.id, "warning", "failed_trial", f"trial 120: {error}", {"number": 120})
    ledger.set_stage(study.id, "winners")
    done = sorted((t for t in trials if t.state == "done"), key=lambda t: t.values["loss"])
    for trial in done[:12]:
        if trial.kinds[f"latency_ms@{device}"] == "predicted":
            latency = trial.values[f"latency_ms@{device}"] * 1.06
            told = dict(zip(PREDICTED, (latency / 1.06, latency / 1.2, latency * 1.05), strict=True))
            measurement = _latency(latency, device)
            measurement = replace(measurement, details={**measurement.details, **told})
            ledger.record_measurements(study.id, trial.architecture_id, None, [measurement])
    _winner(ledger, study.id, done[0], device, 0.085, is_shipped=True)
    _winner(ledger, study.id, done[3], device, 0.102, is_shipped=False)
    for name, accuracy, ms in (("hand-made", 0.961, 0.141), ("random search", 0.972, 0.118)):
        first = _variant(
            ledger, study.id, done[5], "baseline", "train", accuracy, ms, device, config={"name": name}, test=True
        )
        _variant(
            ledger, study.id, done[5], "baseline", "quantize", accuracy, ms * 1.6, device, verdict="rejected",
            reason="no faster: 1.60x slower", parents=(Parent(first),), config={"name": name, "kind": "int8-static"},
        )  # fmt: skip
    ledger.event(study.id, "info", "finished", "done", {"seconds": {"search": 31.0}, "peak_mb": 985})
    ledger.set_stage(study.id, "done")
    ledger.set_state(study.id, "done")


def _winner(
    ledger: Ledger, study_id: int, trial: TrialRecord, device: str, ms: float, is_shipped: bool
) -> None:  # fmt: skip
    """inherit -> distill -> prune (accepted) -> quantize (rejected: slower)."""
    steps = [("inherit", 0.95, ms, "start", ""), ("distill", 0.978, ms, "accepted", "accuracy drop -2.80 points")]
    steps += [("prune", 0.974, ms * 0.92, "accepted", "accuracy drop +0.40 points; 1.09x faster, 0.64x the size")]
    steps += [("quantize", 0.974, ms * 1.7, "rejected", "no faster: 1.85x slower, 0.41x the size")]
    parent: tuple[Parent, ...] = ()
    for step, accuracy, latency, verdict, reason in steps:
        made = _variant(
            ledger, study_id, trial, "winner", step, accuracy, latency, device, verdict=verdict, reason=reason,
            parents=parent, test=is_shipped and step == "prune", trial_id=_id_of(ledger, study_id, trial.number),
        )  # fmt: skip
        if is_shipped and step == "prune":
            ledger.mark_shipped(made)
            for split in ("test", "validation"):
                record_confusion(ledger, study_id, made, split, digits_confusion())
        if verdict != "rejected":
            parent = (Parent(made),)


def digits_confusion() -> Confusion:
    """36 examples of each digit; four eights are answered 1, two threes 5, and one nine 4."""
    labels = [digit for digit in range(10) for _ in range(36)]
    answers = [*labels]
    answers[8 * 36 : 8 * 36 + 4], answers[3 * 36 : 3 * 36 + 2], answers[9 * 36] = [1] * 4, [5] * 2, 4
    return confusion_of(labels, answers, [str(digit) for digit in range(10)])


def _variant(
    ledger: Ledger, study_id: int, trial: TrialRecord, role: Any, step: str, accuracy: float, ms: float, device: str,
    *, verdict: Any = "start", reason: str = "", parents: tuple[Parent, ...] = (), test: bool = False,
    config: Mapping[str, Any] | None = None, trial_id: int | None = None,
) -> int:  # fmt: skip
    content = f"{role} {step} {trial.number} {config}".encode() * 300
    stored = ledger.store.put(content)
    size = {"quantize": 31_000, "prune": 62_000}.get(step, 97_000)
    evaluations = [
        Evaluation("validation", "accuracy", accuracy, *_wilson(accuracy, 360), 360, "exported"),
        Evaluation(
            "validation", "loss", 1.5 * (1 - accuracy), 1.2 * (1 - accuracy), 1.9 * (1 - accuracy), 360, "exported"
        ),
    ]
    if test:
        evaluations.append(
            Evaluation("test", "accuracy", accuracy - 0.004, *_wilson(accuracy - 0.004, 360), 360, "exported")
        )
    variant = VariantRecord(
        architecture_id=trial.architecture_id,
        role=role,
        step=step,
        config=config or {},
        precision="int8" if step == "quantize" else "float32",
        verdict=verdict,
        reason=reason,
        trial_id=trial_id,
        parents=parents,
        model=stored.sha256,
        seconds=3.2,
        evaluations=tuple(evaluations),
        measurements=(_latency(ms, device, stored.sha256), exact("size_bytes", size, "B", stored.sha256)),
        artifacts=(ArtifactRecord(stored.sha256, stored.size_bytes, "onnx", step),),
    )
    return ledger.record_variant(study_id, variant)


def _trial(number: int, origin: str, rng: random.Random, seen: set[str], device: str) -> TrialRecord:
    arch, row = _new(rng, seen)
    progress = min(number / 60, 1.0) if origin == "search" else 0.0
    ms = 0.03 + 0.022 * arch.depth * rng.uniform(0.8, 1.25) * (1 - 0.25 * progress)
    loss = (0.05 + 0.35 * math.exp(-row.params / 60_000)) * math.exp(rng.gauss(0, 0.35)) * (1.25 - 0.5 * progress)
    is_measured = number < 20 or number % 3 == 0
    accuracy = max(0.5, 1 - loss / 3)
    return TrialRecord(
        number=number,
        architecture_id=arch.id,
        params={"stem.width": arch.stem_width},
        system_attrs={},
        values={"loss": loss, f"latency_ms@{device}": ms},
        kinds={"loss": "exact", f"latency_ms@{device}": "measured" if is_measured else "predicted"},
        origin=origin,
        architecture=row,
        evaluations=(
            Evaluation("validation", "loss", loss, loss * 0.75, loss * 1.25, 360, "supernet"),
            Evaluation("validation", "accuracy", accuracy, *_wilson(accuracy, 360), 360, "supernet"),
        ),
        measurements=(_latency(ms, device),) if is_measured else (),
    )


def _new(rng: random.Random, seen: set[str]) -> tuple[Architecture, ArchitectureRecord]:
    """An architecture that the study has not tried."""
    arch = sample(SPACE, rng)
    while arch.id in seen:
        arch = sample(SPACE, rng)
    seen.add(arch.id)
    params = sum(stage.width**2 * 8 * len(stage.blocks) for stage in arch.stages)
    return arch, ArchitectureRecord(arch.id, arch.to_json(), params, params * 30, 65_536)


def _latency(ms: float, device: str, artifact: str | None = None) -> Measurement:
    details = {"median": ms * 1.02, "p50": ms * 1.02, "p90": ms * 1.1, "p99": ms * 1.3, "ratio": ms / 0.14}
    return Measurement(
        "latency_ms", ms, "ms", ms * 0.985, ms * 1.02, "measured", 60, device, HERE, artifact, b"", details
    )


def _wilson(p: float, n: int) -> tuple[float, float]:
    half = 1.96 * math.sqrt(p * (1 - p) / n)
    return max(0.0, p - half), min(1.0, p + half * 0.8)


def _progress(ledger: Ledger, study_id: int, stage: str, done: float, total: float) -> None:
    ledger.event(study_id, "info", "progress", stage, {"stage": stage, "done": done, "total": total})


def _id_of(ledger: Ledger, study_id: int, number: int) -> int | None:
    return next(trial.id for trial in ledger.trials(study_id) if trial.number == number)
