"""Everything the database says of one study, read at once and without a lock: what every summary is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, and_, func, select
from sqlalchemy.orm import Session

from search.errors import no_study
from search.state.database import check_schema, connect, explained, for_reading, shown_url
from search.state.names import KIND, named
from search.state.reading import read_measurements, read_trials, read_variants, study_record
from search.state.records import MeasurementRecord, StudyRecord, TrialRecord, VariantRecord
from search.state.tables import DeviceRow, EventRow, MeasurementRow, StudyRow, TrialRow, VariantRow


@dataclass(frozen=True)
class Event:
    """A line of the log. `kind` is a short word to filter by, `message` is for people."""

    id: int
    at: datetime
    level: str
    kind: str
    message: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class DeviceSeen:
    """A device that measured something for the study; `spec` says what it is: processor, runtime, options."""

    name: str
    kind: str
    fingerprint: str
    spec: Mapping[str, Any]


@dataclass(frozen=True)
class Recorded:
    """One study as recorded. `measurements`: all that this study measured, whatever of; `events`: all but progress."""

    study: StudyRecord
    trials: tuple[TrialRecord, ...]
    variants: tuple[VariantRecord, ...]
    measurements: tuple[MeasurementRecord, ...]
    devices: tuple[DeviceSeen, ...]
    events: tuple[Event, ...]
    progress: Event | None


@dataclass(frozen=True)
class StudyLine:
    """What a list of studies shows of one. trials: how many by origin; progress: the last row about it."""

    study: StudyRecord
    trials: Mapping[str, int]
    failed: int
    shipped: int
    progress: Event | None


def load_study(name: str, url: str = "studies/runs/lathe.db") -> Recorded:
    """A study from a database URL or the path of a SQLite file; see `summarise` for what it found.

    Raises NotFound, SchemaError.
    """
    engine = connect(url, read_only=True)
    try:
        return read_recorded(engine, name)
    finally:
        engine.dispose()


def read_recorded(engine: Engine, name: str) -> Recorded:
    """The study called `name`, as it is now. Raises NotFound, naming those there are; SchemaError.

    Cost: a handful of queries over the study's own rows; about 30 ms for a few hundred trials.
    """
    check_schema(engine)
    with explained(engine.url), Session(for_reading(engine)) as session:
        row = _study(session, name, shown_url(engine.url))
        log = select(EventRow).where(EventRow.study_id == row.id, EventRow.kind != "progress")
        events = tuple(_event(event) for event in session.scalars(log.order_by(EventRow.id)))
        names = {key: str(name) for event in events if event.kind == KIND for key, name in event.data.items()}
        measurements = tuple(
            replace(m, measurement=named(m.measurement, names))
            for m in read_measurements(session, MeasurementRow.study_id == row.id)
        )
        variants = tuple(
            replace(variant, measurements=tuple(named(m, names) for m in variant.measurements))
            for variant in read_variants(session, row.id)
        )
        used = {m.measurement.fingerprint for m in measurements}
        used |= {m.fingerprint for variant in variants for m in variant.measurements}
        found = session.scalars(select(DeviceRow).where(DeviceRow.fingerprint.in_(used)).order_by(DeviceRow.id))
        return Recorded(
            study=study_record(row),
            trials=tuple(read_trials(session, row.id)),
            variants=variants,
            measurements=measurements,
            devices=tuple(DeviceSeen(names.get(d.fingerprint, d.name), d.kind, d.fingerprint, d.spec) for d in found),
            events=events,
            progress=_progress(session, row.id),
        )


def read_lines(engine: Engine) -> list[StudyLine]:
    """All studies, newest first, without their trials. Raises SchemaError."""
    check_schema(engine)
    with explained(engine.url), Session(for_reading(engine)) as session:
        counted = select(TrialRow.study_id, TrialRow.origin, TrialRow.state, func.count()).group_by(
            TrialRow.study_id, TrialRow.origin, TrialRow.state
        )
        counts: list[tuple[int, str, str, int]] = [(r[0], r[1], r[2], r[3]) for r in session.execute(counted)]
        kept = select(VariantRow.study_id, func.count()).where(VariantRow.is_shipped).group_by(VariantRow.study_id)
        shipped = {row[0]: row[1] for row in session.execute(kept)}
        lines = []
        for row in session.scalars(select(StudyRow).order_by(StudyRow.id.desc())):
            trials: dict[str, int] = {}
            for study_id, origin, _, n in counts:
                if study_id == row.id:
                    trials[origin] = trials.get(origin, 0) + n
            failed = sum(n for study_id, _, state, n in counts if study_id == row.id and state == "failed")
            lines.append(
                StudyLine(study_record(row), trials, failed, shipped.get(row.id, 0), _progress(session, row.id))
            )
        return lines


def pulse(engine: Engine, name: str) -> tuple[Any, ...]:
    """Small and cheap; changes whenever anything about the study does. Raises NotFound."""
    with explained(engine.url), Session(for_reading(engine)) as session:
        row = _study(session, name, shown_url(engine.url))
        newest = [
            session.scalar(select(func.max(table.id)).where(table.study_id == row.id))
            for table in (TrialRow, VariantRow, MeasurementRow, EventRow)
        ]
        is_shipped = and_(VariantRow.study_id == row.id, VariantRow.is_shipped)
        shipped = session.scalar(select(func.count()).select_from(VariantRow).where(is_shipped))
        return (row.id, row.state, row.stage, shipped, *newest)


def _study(session: Session, name: str, shown: str) -> StudyRow:
    row = session.execute(select(StudyRow).where(StudyRow.name == name)).scalar_one_or_none()
    if row is None:
        raise no_study(name, list(session.scalars(select(StudyRow.name).order_by(StudyRow.id))), shown)
    return row


def _progress(session: Session, study_id: int) -> Event | None:
    """The newest progress row. Rows are found from the end of the study's log, so this is quick."""
    query = select(EventRow).where(EventRow.study_id == study_id, EventRow.kind == "progress")
    row = session.scalars(query.order_by(EventRow.id.desc()).limit(1)).first()
    return None if row is None else _event(row)


def _event(row: EventRow) -> Event:
    return Event(row.id, row.at, row.level, row.kind, row.message, row.data)
