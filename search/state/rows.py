"""From records to rows: what the ledger writes inside a transaction."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, exists, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from compress.measurement import Measurement, sessions_of
from search.errors import Conflict
from search.state.records import ArchitectureRecord, ArtifactRecord, Evaluation, TrialRecord, VariantRecord, digest
from search.state.tables import (
    ArchitectureRow,
    ArtifactParentRow,
    ArtifactRow,
    Base,
    CheckpointRow,
    DeviceRow,
    EvaluationRow,
    MeasurementRow,
    TrialRow,
    VariantEdgeRow,
    VariantRow,
)


def now() -> datetime:
    return datetime.now(UTC)


def add_once(session: Session, row: type[Base], **values: Any) -> None:
    """Insert unless a row with the same key is there; the first one stays."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    session.execute(insert(row).values(**values).on_conflict_do_nothing())


def add_architecture(session: Session, record: ArchitectureRecord) -> None:
    add_once(
        session,
        ArchitectureRow,
        id=record.id,
        json=record.json,
        params=record.params,
        macs=record.macs,
        peak_bytes=record.peak_bytes,
    )


def add_artifact(session: Session, study_id: int | None, record: ArtifactRecord) -> None:
    add_once(
        session,
        ArtifactRow,
        sha256=record.sha256,
        study_id=study_id,
        size_bytes=record.size_bytes,
        kind=record.kind,
        maker=record.maker,
        details=dict(record.details),
        created_at=now(),
    )
    for parent in record.parents:
        add_once(session, ArtifactParentRow, child=record.sha256, parent=parent)


def add_evaluations(
    session: Session,
    study_id: int,
    architecture_id: str,
    trial_id: int | None,
    variant_id: int | None,
    evaluations: Iterable[Evaluation],
) -> None:
    """A metric asked twice of the same thing keeps its first answer."""
    for e in evaluations:
        add_once(
            session,
            EvaluationRow,
            key=digest(study_id, architecture_id, trial_id, variant_id, e.split, e.metric, e.fidelity),
            study_id=study_id,
            architecture_id=architecture_id,
            trial_id=trial_id,
            variant_id=variant_id,
            split=e.split,
            metric=e.metric,
            value=e.value,
            low=e.low,
            high=e.high,
            n=e.n,
            fidelity=e.fidelity,
            created_at=now(),
        )


def add_device(session: Session, fingerprint: str, name: str, kind: str, spec: dict[str, Any]) -> int:
    """The device's row, made or completed. One that only measurements mentioned has kind "unknown"."""
    add_once(session, DeviceRow, fingerprint=fingerprint, name=name, kind=kind, spec=spec, created_at=now())
    row = session.execute(select(DeviceRow).where(DeviceRow.fingerprint == fingerprint)).scalar_one()
    if row.kind == "unknown" and kind != "unknown":
        row.name, row.kind, row.spec = name, kind, spec
    return row.id


def add_measurements(
    session: Session,
    study_id: int | None,
    architecture_id: str | None,
    variant_id: int | None,
    measurements: Iterable[Measurement],
) -> None:
    for m in measurements:
        key = measurement_key(study_id, architecture_id, variant_id, m)
        if study_id is not None and architecture_id is not None:
            key, m = _as_first_measured(session, study_id, variant_id, key, m)
        device_id = add_device(session, m.fingerprint, m.device, "unknown", {}) if m.fingerprint else None
        add_once(
            session,
            MeasurementRow,
            key=key,
            study_id=study_id,
            architecture_id=architecture_id,
            variant_id=variant_id,
            artifact=m.artifact,
            device_id=device_id,
            metric=m.metric,
            kind=m.kind,
            value=m.value,
            unit=m.unit,
            low=m.low,
            high=m.high,
            repeats=m.repeats,
            samples=m.samples,
            details=dict(m.details),
            created_at=now(),
        )


def _as_first_measured(
    session: Session, study_id: int, variant_id: int | None, key: str, m: Measurement
) -> tuple[str, Measurement]:
    """(key, measurement) for a study that measured what was known before, of another study, variant or calibration: a
    row of its own, with the first numbers.

    Without that row, a study that is read or resumed would not know what it was told; and of a variant's file it would
    know whatever others measured on devices that are not the study's.
    """
    first = session.scalar(select(MeasurementRow).where(MeasurementRow.key == key))
    if first is None or (first.study_id, first.variant_id) == (study_id, variant_id):
        return key, m
    numbers = {"value": first.value, "low": first.low, "high": first.high, "repeats": first.repeats}
    if variant_id is None:  # a trial's details also say what was predicted before, and by which exporter
        return digest(key, study_id), replace(m, samples=first.samples, **numbers)
    return digest(key, study_id, variant_id), replace(m, samples=first.samples, details=first.details, **numbers)


def measurement_key(study_id: int | None, architecture_id: str | None, variant_id: int | None, m: Measurement) -> str:
    """What was measured, where and how.

    A file is the same in every study; without one it is this study's model.
    """
    subject = ["file", m.artifact] if m.artifact else ["model", study_id, architecture_id, variant_id]
    how = m.details.get("protocol", "")
    return digest(subject, m.fingerprint, m.metric, m.kind, how if sessions_of(m) == 1 else [how, sessions_of(m)])


def add_trial(session: Session, study_id: int, trial: TrialRecord) -> int:
    """The trial's id; one that is already there stays as it is. Raises Conflict if it contradicts another."""
    same = (TrialRow.number == trial.number) | (TrialRow.architecture_id == trial.architecture_id)
    for row in session.scalars(select(TrialRow).where(TrialRow.study_id == study_id, same)):
        if (row.number, row.architecture_id) == (trial.number, trial.architecture_id):
            return row.id
        raise Conflict(
            f"a study tries an architecture once: trial {row.number} is {row.architecture_id[:12]}, so trial "
            f"{trial.number} cannot be {trial.architecture_id[:12]}. Propose another one."
        )
    if trial.architecture is not None:
        add_architecture(session, trial.architecture)
    row = TrialRow(
        study_id=study_id,
        number=trial.number,
        architecture_id=trial.architecture_id,
        origin=trial.origin,
        state=trial.state,
        params=dict(trial.params),
        system_attrs=dict(trial.system_attrs),
        values=dict(trial.values),
        kinds=dict(trial.kinds),
        error=trial.error,
        created_at=trial.created_at or now(),
        finished_at=trial.finished_at or now(),
    )
    session.add(row)
    session.flush()
    add_evaluations(session, study_id, trial.architecture_id, row.id, None, trial.evaluations)
    add_measurements(session, study_id, trial.architecture_id, None, trial.measurements)
    return row.id


def add_variant(session: Session, study_id: int, variant: VariantRecord) -> int:
    """The variant's id; one with the same key that is already there stays as it is."""
    same = VariantRow.study_id == study_id, VariantRow.key == variant.key
    known = session.scalar(select(VariantRow.id).where(*same))
    if known is not None:
        return known
    if variant.architecture is not None:
        add_architecture(session, variant.architecture)
    for artifact in variant.artifacts:
        add_artifact(session, study_id, artifact)
    row = VariantRow(
        study_id=study_id,
        architecture_id=variant.architecture_id,
        trial_id=variant.trial_id,
        key=variant.key,
        role=variant.role,
        step=variant.step,
        config=dict(variant.config),
        precision=variant.precision,
        verdict=variant.verdict,
        reason=variant.reason,
        is_shipped=variant.is_shipped,
        weights=variant.weights,
        model=variant.model,
        seconds=variant.seconds,
        created_at=now(),
    )
    session.add(row)
    session.flush()
    for parent in variant.parents:
        session.add(VariantEdgeRow(child_id=row.id, parent_id=parent.id, role=parent.role))
    add_evaluations(session, study_id, variant.architecture_id, None, row.id, variant.evaluations)
    add_measurements(session, study_id, variant.architecture_id, row.id, variant.measurements)
    return row.id


def replace_checkpoint(session: Session, study_id: int, name: str, record: ArtifactRecord) -> str | None:
    """Point the checkpoint at a new artifact.

    Returns the old one's sha256 if nothing refers to it any more.
    """
    add_artifact(session, study_id, record)
    row = session.get(CheckpointRow, (study_id, name))
    if row is None:
        session.add(CheckpointRow(study_id=study_id, name=name, sha256=record.sha256, created_at=now()))
        return None
    old, row.sha256, row.created_at = row.sha256, record.sha256, now()
    session.flush()
    if old == record.sha256 or _is_referred_to(session, old):
        return None
    session.execute(delete(ArtifactRow).where(ArtifactRow.sha256 == old))
    return old


def _is_referred_to(session: Session, sha256: str) -> bool:
    references = (CheckpointRow.sha256, VariantRow.weights, VariantRow.model, ArtifactParentRow.parent)
    return any(session.scalar(select(exists().where(column == sha256))) for column in references)
