"""The tables of the study database, as typed SQLAlchemy models. Only `search.state.ledger` writes them.

Optuna's own tables may stand in the same database: ours start with `lathe_`, and nothing of ours refers to
theirs. Ids that the database gives are integers; what is hashed is named by 64 hex digits of its sha256.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from search.state.database import connect
from search.state.records import canonical_json

__all__ = ["Base", "connect"]


class UtcTime(TypeDecorator[datetime]):
    """An aware time, kept in UTC.

    A naive one is refused: nobody could say later which clock it was read from.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.utcoffset() is None:
            raise ValueError(f"a time must say its zone, got {value!r}. Use datetime.now(UTC).")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class CanonicalJson(TypeDecorator[dict[str, Any]]):
    """JSON as canonical text, so that equal values are equal text (a native JSON column reorders keys)."""

    impl = Text()
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else canonical_json(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


_BIG = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows itself only in INTEGER
Id = Annotated[int, mapped_column(_BIG, primary_key=True)]
Count = Annotated[int, mapped_column(BigInteger)]


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {str: Text, dict[str, Any]: CanonicalJson, datetime: UtcTime, float: Double}


def _one_of(column: str, values: Iterable[str]) -> CheckConstraint:
    """Text and a CHECK, not a native enum: a new word is then an ordinary migration on both databases."""
    return CheckConstraint(f"{column} IN ({', '.join(repr(value) for value in values)})", name=column)


def _owned_by(table: str) -> Any:
    """Reference to a row without which this one means nothing."""
    return mapped_column(_BIG, ForeignKey(f"lathe_{table}.id", ondelete="CASCADE"))


def _maybe(table: str) -> Any:
    """Reference to a row that may be deleted while this one stays of use."""
    return mapped_column(_BIG, ForeignKey(f"lathe_{table}.id", ondelete="SET NULL"))


class MetaRow(Base):
    """Facts about the database itself."""

    __tablename__ = "lathe_meta"
    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class StudyRow(Base):
    """A search: its effective config, the hash of its data, how far it is, who works on it (host:pid)."""

    __tablename__ = "lathe_study"
    id: Mapped[Id]
    name: Mapped[str]
    config: Mapped[dict[str, Any]]
    config_hash: Mapped[str]
    data_hash: Mapped[str]
    seed: Mapped[Count]
    state: Mapped[str]
    stage: Mapped[str]
    versions: Mapped[dict[str, Any]]
    owner: Mapped[str]
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    __table_args__ = (UniqueConstraint("name"), _one_of("state", ["running", "paused", "done", "failed"]))


class ArchitectureRow(Base):
    """One network's description and exact counts; shared by all studies."""

    __tablename__ = "lathe_architecture"
    id: Mapped[str] = mapped_column(primary_key=True)
    json: Mapped[str]
    params: Mapped[Count]
    macs: Mapped[Count]
    peak_bytes: Mapped[Count]


class TrialRow(Base):
    """An architecture that a study tried. Written once, when finished."""

    __tablename__ = "lathe_trial"
    id: Mapped[Id]
    study_id: Mapped[int] = _owned_by("study")
    number: Mapped[int]
    architecture_id: Mapped[str] = mapped_column(ForeignKey("lathe_architecture.id"), index=True)
    origin: Mapped[str]
    state: Mapped[str]
    params: Mapped[dict[str, Any]]
    system_attrs: Mapped[dict[str, Any]]
    values: Mapped[dict[str, Any]]
    kinds: Mapped[dict[str, Any]]
    error: Mapped[str]
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime]
    __table_args__ = (
        UniqueConstraint("study_id", "number"),
        UniqueConstraint("study_id", "architecture_id"),
        _one_of("state", ["done", "failed"]),
        CheckConstraint("number >= 0", name="number"),
    )


class ArtifactRow(Base):
    """A stored file.

    The row is written after the file is complete; `study_id` is the study that first made it.
    """

    __tablename__ = "lathe_artifact"
    sha256: Mapped[str] = mapped_column(primary_key=True)
    study_id: Mapped[int | None] = _maybe("study")
    size_bytes: Mapped[Count]
    kind: Mapped[str]
    maker: Mapped[str]
    details: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    __table_args__ = (Index(None, "study_id"), CheckConstraint("size_bytes >= 0", name="size_bytes"))


class ArtifactParentRow(Base):
    """`child` was made from `parent`."""

    __tablename__ = "lathe_artifact_parent"
    child: Mapped[str] = mapped_column(ForeignKey("lathe_artifact.sha256", ondelete="CASCADE"), primary_key=True)
    parent: Mapped[str] = mapped_column(ForeignKey("lathe_artifact.sha256"), primary_key=True, index=True)


class CheckpointRow(Base):
    """The latest complete checkpoint of a study under a name, such as `supernet`."""

    __tablename__ = "lathe_checkpoint"
    study_id: Mapped[int] = mapped_column(_BIG, ForeignKey("lathe_study.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(ForeignKey("lathe_artifact.sha256"), index=True)
    created_at: Mapped[datetime]


class VariantRow(Base):
    """One concrete model, made by one step. `key` is the sha256 of the step, its settings and parents."""

    __tablename__ = "lathe_variant"
    id: Mapped[Id]
    study_id: Mapped[int] = _owned_by("study")
    architecture_id: Mapped[str] = mapped_column(ForeignKey("lathe_architecture.id"), index=True)
    trial_id: Mapped[int | None] = _maybe("trial")
    key: Mapped[str]
    role: Mapped[str]
    step: Mapped[str]
    config: Mapped[dict[str, Any]]
    precision: Mapped[str]
    verdict: Mapped[str]
    reason: Mapped[str]
    is_shipped: Mapped[bool]
    weights: Mapped[str | None] = mapped_column(ForeignKey("lathe_artifact.sha256"), index=True)
    model: Mapped[str | None] = mapped_column(ForeignKey("lathe_artifact.sha256"), index=True)
    seconds: Mapped[float]
    created_at: Mapped[datetime]
    __table_args__ = (
        UniqueConstraint("study_id", "key"),
        Index(None, "trial_id"),
        _one_of("role", ["winner", "baseline", "teacher"]),
        _one_of("verdict", ["start", "accepted", "rejected"]),
    )


class VariantEdgeRow(Base):
    """`child` was made from `parent` (base) or learned from it (teacher).

    Ids grow, so there are no cycles.
    """

    __tablename__ = "lathe_variant_edge"
    child_id: Mapped[int] = mapped_column(_BIG, ForeignKey("lathe_variant.id", ondelete="CASCADE"), primary_key=True)
    parent_id: Mapped[int] = mapped_column(_BIG, ForeignKey("lathe_variant.id", ondelete="CASCADE"), primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    __table_args__ = (
        CheckConstraint("child_id > parent_id", name="order"),
        Index(None, "parent_id"),
        _one_of("role", ["base", "teacher"]),
    )


class EvaluationRow(Base):
    """A quality on `n` examples of a split, of a trial's network or of a variant.

    `low`, `high`: 95 % interval.
    """

    __tablename__ = "lathe_evaluation"
    id: Mapped[Id]
    study_id: Mapped[int] = _owned_by("study")
    architecture_id: Mapped[str] = mapped_column(ForeignKey("lathe_architecture.id"), index=True)
    trial_id: Mapped[int | None] = _owned_by("trial")
    variant_id: Mapped[int | None] = _owned_by("variant")
    split: Mapped[str]
    metric: Mapped[str]
    value: Mapped[float]
    low: Mapped[float]
    high: Mapped[float]
    n: Mapped[Count]
    fidelity: Mapped[str]
    key: Mapped[str]
    created_at: Mapped[datetime]
    __table_args__ = (
        UniqueConstraint("key"),
        Index(None, "study_id", "metric"),
        Index(None, "trial_id"),
        Index(None, "variant_id"),
        _one_of("split", ["train", "validation", "test"]),
        _one_of("fidelity", ["supernet", "short", "alone", "exported"]),
        CheckConstraint("low <= value AND value <= high", name="interval"),
    )


class DeviceRow(Base):
    """Where costs are measured; `fingerprint` is the sha256 of what it is, `spec` that description."""

    __tablename__ = "lathe_device"
    id: Mapped[Id]
    name: Mapped[str]
    kind: Mapped[str]
    fingerprint: Mapped[str]
    spec: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("fingerprint"),)


class MeasurementRow(Base):
    """A cost, keyed by what was measured, where and how, so that no study measures a file again."""

    __tablename__ = "lathe_measurement"
    id: Mapped[Id]
    key: Mapped[str]
    study_id: Mapped[int | None] = _maybe("study")
    architecture_id: Mapped[str | None] = mapped_column(ForeignKey("lathe_architecture.id"), index=True)
    variant_id: Mapped[int | None] = _maybe("variant")
    artifact: Mapped[str | None]  # no reference: what screening exported is measured, then thrown away
    device_id: Mapped[int | None] = mapped_column(_BIG, ForeignKey("lathe_device.id"))
    metric: Mapped[str]
    kind: Mapped[str]
    value: Mapped[float]
    unit: Mapped[str]
    low: Mapped[float]
    high: Mapped[float]
    repeats: Mapped[Count]
    samples: Mapped[bytes] = mapped_column(LargeBinary)
    details: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    __table_args__ = (
        UniqueConstraint("key"),
        Index(None, "study_id"),
        Index(None, "variant_id"),
        Index(None, "artifact", "device_id", "metric"),
        _one_of("kind", ["measured", "predicted", "simulated", "exact"]),
        CheckConstraint("low <= value AND value <= high", name="interval"),
    )


class EventRow(Base):
    """The log: order by id, since clocks jump."""

    __tablename__ = "lathe_event"
    id: Mapped[Id]
    study_id: Mapped[int | None] = _owned_by("study")
    at: Mapped[datetime]
    level: Mapped[str]
    kind: Mapped[str]
    message: Mapped[str]
    data: Mapped[dict[str, Any]]
    __table_args__ = (Index(None, "study_id", "id"), _one_of("level", ["info", "warning", "error"]))
