"""What the main loop hands to the ledger and gets back: frozen records, free of any database."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from compress.measurement import Kind, Measurement

Split = Literal["train", "validation", "test"]
Fidelity = Literal["supernet", "short", "alone", "exported"]
StudyState = Literal["running", "paused", "done", "failed"]
TrialState = Literal["done", "failed"]
Role = Literal["winner", "baseline", "teacher"]
Verdict = Literal["start", "accepted", "rejected"]
EdgeRole = Literal["base", "teacher"]
Level = Literal["info", "warning", "error"]
ASSISTANT = "assistant"  # the step of a teacher that was made of the teacher, see compress/distill/assistant.py
COMMONEST = "commonest"  # kind of the event that says what guessing is worth, see search/state/facts.py


def canonical_json(value: Any) -> str:
    """The one text of a JSON value: sorted keys, no spaces, floats in shortest form.

    Raises ValueError for NaN and infinities, which are not JSON, and TypeError for what JSON does not know.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(*parts: Any) -> str:
    """sha256, 64 hex digits, of the canonical JSON of `parts`."""
    return hashlib.sha256(canonical_json(parts).encode()).hexdigest()


@dataclass(frozen=True)
class Evaluation:
    """A quality on `n` examples of a split, with its 95 % interval, and of which weights it was asked.

    `fidelity`: the network with the supernet's weights, after a short training, with its own, or the exported file.
    """

    split: Split
    metric: str
    value: float
    low: float
    high: float
    n: int
    fidelity: Fidelity

    def __post_init__(self) -> None:
        if not self.low <= self.value <= self.high:
            raise ValueError(
                f"`low <= value <= high` must hold for {self.metric}, got {self.low} {self.value} {self.high}."
            )


@dataclass(frozen=True)
class ArchitectureRecord:
    """An architecture as text with its exact counts. `id` is the sha256 of the canonical JSON."""

    id: str
    json: str
    params: int
    macs: int
    peak_bytes: int


@dataclass(frozen=True)
class StudyRecord:
    """A study as the database knows it. `owner` is host:pid of the last process that worked on it."""

    id: int
    name: str
    config: Mapping[str, Any]
    config_hash: str
    data_hash: str
    seed: int
    state: StudyState
    stage: str
    versions: Mapping[str, str]
    owner: str
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True)
class TrialRecord:
    """A finished trial. `values` and `kinds` map each objective's name to its number and how that came about.

    `params` and `system_attrs` are Optuna's, and come back as JSON has them (tuples are lists).
    `architecture` is needed when the database may not know it yet. Reading fills all but `measurements`,
    which belong to the architecture: ask `Ledger.measurements`.
    """

    number: int
    architecture_id: str
    params: Mapping[str, Any]
    system_attrs: Mapping[str, Any]
    values: Mapping[str, float]
    kinds: Mapping[str, Kind]
    state: TrialState = "done"
    origin: str = "search"
    error: str = ""
    architecture: ArchitectureRecord | None = field(default=None, compare=False)
    evaluations: tuple[Evaluation, ...] = ()
    measurements: tuple[Measurement, ...] = field(default=(), compare=False)
    created_at: datetime | None = field(default=None, compare=False)
    finished_at: datetime | None = field(default=None, compare=False)
    id: int | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.state == "failed" and not self.error:
            raise ValueError(f"trial {self.number} is failed but gives no `error`. Say what went wrong.")
        if self.state == "done" and not (self.values and all(map(math.isfinite, self.values.values()))):
            raise ValueError(f"a done trial has finite values, got {dict(self.values)}. Record it as failed.")
        if self.values.keys() != self.kinds.keys():
            raise ValueError(f"`kinds` must name the objectives {list(self.values)}, got {list(self.kinds)}.")


@dataclass(frozen=True)
class ArtifactRecord:
    """What the database says of a stored file: which step made it (`maker`), from which files (`parents`)."""

    sha256: str
    size_bytes: int
    kind: str
    maker: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    parents: tuple[str, ...] = ()
    study_id: int | None = field(default=None, compare=False)
    created_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Parent:
    """A variant that another was made from: the model that was changed (base), or learned from (teacher)."""

    id: int
    role: EdgeRole = "base"


@dataclass(frozen=True)
class VariantRecord:
    """One concrete model: what step made it, out of what, what it is worth, and whether it was kept.

    `weights` (safetensors) and `model` (the exported file) are sha256 of artifacts; give their `artifacts`
    rows with the variant or add them before. `seconds` is what the step took.
    """

    architecture_id: str
    role: Role
    step: str
    config: Mapping[str, Any]
    precision: str
    verdict: Verdict
    reason: str = ""
    trial_id: int | None = None
    parents: tuple[Parent, ...] = ()
    weights: str | None = None
    model: str | None = None
    seconds: float = 0.0
    is_shipped: bool = False
    architecture: ArchitectureRecord | None = field(default=None, compare=False)
    evaluations: tuple[Evaluation, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    artifacts: tuple[ArtifactRecord, ...] = field(default=(), compare=False)
    created_at: datetime | None = field(default=None, compare=False)
    id: int | None = field(default=None, compare=False)

    @property
    def key(self) -> str:
        """What makes two variants of a study the same: step, settings and parents, not the result."""
        parents = sorted([parent.role, parent.id] for parent in self.parents)
        return digest(
            self.architecture_id,
            self.trial_id,
            self.role,
            self.step,
            dict(self.config),
            self.precision,
            parents,
        )


def is_teacher(variant: VariantRecord) -> bool:
    """Whether it is the one that teaches a study's networks, and not an assistant to it."""
    return variant.role == "teacher" and variant.step != ASSISTANT


@dataclass(frozen=True)
class DeviceLatency:
    """The latency of an architecture on a device, whatever study measured it. hardware: the processor by its name with
    the engine, since another engine is as foreign as another processor; the fingerprint where it has no name."""

    fingerprint: str
    hardware: str
    architecture_json: str
    latency_ms: float
    kind: Kind


@dataclass(frozen=True)
class MeasurementRecord:
    """A measurement with what it was of."""

    id: int
    study_id: int | None
    architecture_id: str | None
    variant_id: int | None
    measurement: Measurement
