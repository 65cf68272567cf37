"""From rows to records: what the ledger and the reading commands get back. Nothing here writes."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from compress.measurement import Measurement
from search.state.records import (
    ArchitectureRecord,
    DeviceLatency,
    Evaluation,
    MeasurementRecord,
    Parent,
    StudyRecord,
    TrialRecord,
    VariantRecord,
)
from search.state.tables import (
    ArchitectureRow,
    DeviceRow,
    EvaluationRow,
    MeasurementRow,
    StudyRow,
    TrialRow,
    VariantEdgeRow,
    VariantRow,
)


def study_record(row: StudyRow) -> StudyRecord:
    return StudyRecord(
        id=row.id,
        name=row.name,
        config=row.config,
        config_hash=row.config_hash,
        data_hash=row.data_hash,
        seed=row.seed,
        state=row.state,  # type: ignore[arg-type]
        stage=row.stage,
        versions=row.versions,
        owner=row.owner,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )


def architecture_record(row: ArchitectureRow) -> ArchitectureRecord:
    return ArchitectureRecord(row.id, row.json, row.params, row.macs, row.peak_bytes)


def read_trials(session: Session, study_id: int) -> list[TrialRecord]:
    evaluations = _evaluations_of(session, study_id, of_variants=False)
    query = (
        select(TrialRow, ArchitectureRow)
        .join(ArchitectureRow, TrialRow.architecture_id == ArchitectureRow.id)
        .where(TrialRow.study_id == study_id)
        .order_by(TrialRow.number)
    )
    return [
        TrialRecord(
            number=row.number,
            architecture_id=row.architecture_id,
            params=row.params,
            system_attrs=row.system_attrs,
            values=row.values,
            kinds=row.kinds,
            state=row.state,  # type: ignore[arg-type]
            origin=row.origin,
            error=row.error,
            architecture=architecture_record(architecture),
            evaluations=tuple(evaluations[row.id]),
            created_at=row.created_at,
            finished_at=row.finished_at,
            id=row.id,
        )
        for row, architecture in session.execute(query)
    ]


def read_variants(session: Session, study_id: int, after: int = 0) -> list[VariantRecord]:
    evaluations = _evaluations_of(session, study_id, of_variants=True)
    of_study = select(VariantRow.id).where(VariantRow.study_id == study_id, VariantRow.id > after)
    parents: dict[int, list[Parent]] = defaultdict(list)
    edges = select(VariantEdgeRow).where(VariantEdgeRow.child_id.in_(of_study))
    for edge in session.scalars(edges.order_by(VariantEdgeRow.parent_id)):
        parents[edge.child_id].append(Parent(edge.parent_id, edge.role))  # type: ignore[arg-type]
    query = (
        select(VariantRow, ArchitectureRow)
        .join(ArchitectureRow, VariantRow.architecture_id == ArchitectureRow.id)
        .where(VariantRow.study_id == study_id, VariantRow.id > after)
        .order_by(VariantRow.id)
    )
    return [
        VariantRecord(
            architecture_id=row.architecture_id,
            role=row.role,  # type: ignore[arg-type]
            step=row.step,
            config=row.config,
            precision=row.precision,
            verdict=row.verdict,  # type: ignore[arg-type]
            reason=row.reason,
            trial_id=row.trial_id,
            parents=tuple(parents[row.id]),
            weights=row.weights,
            model=row.model,
            seconds=row.seconds,
            is_shipped=row.is_shipped,
            architecture=architecture_record(architecture),
            evaluations=tuple(evaluations[row.id]),
            measurements=tuple(m.measurement for m in variant_measurements(session, row.id, row.model)),
            created_at=row.created_at,
            id=row.id,
        )
        for row, architecture in session.execute(query).all()
    ]


def variant_measurements(session: Session, variant_id: int, model: str | None) -> list[MeasurementRecord]:
    """Costs of a variant, as recorded with it. Of what was not (an older Lathe left out what was known before) those of
    its file that somebody took."""
    is_its = MeasurementRow.variant_id == variant_id
    if model is not None:
        is_its = or_(is_its, MeasurementRow.artifact == model)
    found = read_measurements(session, is_its)
    own = {row.measurement.metric for row in found if row.variant_id == variant_id}
    return [row for row in found if row.variant_id == variant_id or row.measurement.metric not in own]


def matching(
    study_id: int | None,
    architecture_ids: Sequence[str] | None,
    artifact: str | None,
    fingerprint: str | None,
    metric: str | None,
) -> list[ColumnElement[bool]]:
    """Conditions on measurements; None leaves that one out."""
    conditions = []
    if study_id is not None:
        conditions.append(MeasurementRow.study_id == study_id)
    if architecture_ids is not None:
        conditions.append(MeasurementRow.architecture_id.in_(architecture_ids))
    if artifact is not None:
        conditions.append(MeasurementRow.artifact == artifact)
    if fingerprint is not None:
        conditions.append(DeviceRow.fingerprint == fingerprint)
    if metric is not None:
        conditions.append(MeasurementRow.metric == metric)
    return conditions


def read_measurements(session: Session, *conditions: ColumnElement[bool]) -> list[MeasurementRecord]:
    """Measurements with their devices that meet all conditions, in the order they were recorded."""
    joined = (
        select(MeasurementRow, DeviceRow)
        .outerjoin(DeviceRow, MeasurementRow.device_id == DeviceRow.id)
        .where(*conditions)
    )
    rows: Sequence[Any] = session.execute(joined.order_by(MeasurementRow.id)).all()
    return [
        MeasurementRecord(
            id=row.id,
            study_id=row.study_id,
            architecture_id=row.architecture_id,
            variant_id=row.variant_id,
            measurement=_measurement(row, device),
        )
        for row, device in rows
    ]


def _measurement(row: Any, device: Any) -> Measurement:
    return Measurement(
        metric=row.metric,
        value=row.value,
        unit=row.unit,
        low=row.low,
        high=row.high,
        kind=row.kind,
        repeats=row.repeats,
        device=device.name if device else "",
        fingerprint=device.fingerprint if device else "",
        artifact=row.artifact,
        samples=row.samples,
        details=row.details,
    )


def read_calibrated(session: Session, fingerprint: str, metric: str) -> list[tuple[str, Measurement]]:
    """(architecture as JSON, measurement) of what was measured on a device outside of any study, oldest first."""
    joined = (
        select(MeasurementRow, DeviceRow, ArchitectureRow.json)
        .join(DeviceRow, MeasurementRow.device_id == DeviceRow.id)
        .join(ArchitectureRow, MeasurementRow.architecture_id == ArchitectureRow.id)
        .where(MeasurementRow.metric == metric, DeviceRow.fingerprint == fingerprint, MeasurementRow.study_id.is_(None))
    )
    found: Sequence[Any] = session.execute(joined.order_by(MeasurementRow.id)).all()
    return [(json, _measurement(row, device)) for row, device, json in found]


def read_latencies(session: Session, besides: str, metric: str) -> list[DeviceLatency]:
    """The newest `metric` of each architecture on each device but the one with the fingerprint `besides`."""
    joined = (
        select(DeviceRow.fingerprint, DeviceRow.spec, ArchitectureRow.json, MeasurementRow.value, MeasurementRow.kind)
        .join(DeviceRow, MeasurementRow.device_id == DeviceRow.id)
        .join(ArchitectureRow, MeasurementRow.architecture_id == ArchitectureRow.id)
        .where(MeasurementRow.metric == metric, MeasurementRow.variant_id.is_(None))
        .where(MeasurementRow.kind != "predicted", DeviceRow.fingerprint != besides)
    )
    newest: dict[tuple[str, str], DeviceLatency] = {}
    rows: Sequence[Any] = session.execute(joined.order_by(MeasurementRow.id)).all()
    for fingerprint, spec, json, value, kind in rows:
        hardware = f"{spec['cpu']}, {spec.get('runtime')}" if spec.get("cpu") else fingerprint
        newest[fingerprint, json] = DeviceLatency(fingerprint, hardware, json, value, kind)
    return list(newest.values())


def _evaluations_of(session: Session, study_id: int, of_variants: bool) -> dict[int, list[Evaluation]]:
    """A study's evaluations by the id of their variant, or of their trial."""
    owner = EvaluationRow.variant_id if of_variants else EvaluationRow.trial_id
    query = select(EvaluationRow).where(EvaluationRow.study_id == study_id, owner.is_not(None))
    found: dict[int, list[Evaluation]] = defaultdict(list)
    for row in session.scalars(query.order_by(EvaluationRow.id)):
        of = row.variant_id if of_variants else row.trial_id
        evaluation = Evaluation(
            row.split,  # type: ignore[arg-type]
            row.metric,
            row.value,
            row.low,
            row.high,
            row.n,
            row.fidelity,  # type: ignore[arg-type]
        )
        found[of or 0].append(evaluation)
    return found
