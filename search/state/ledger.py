"""The one writer of the study database, and of the artifacts beside it.

Every method is one transaction: it happened or it did not, whenever the process was killed. What has a key
can be recorded again without harm, so a resumed study just does its last step once more.
"""

import errno
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from compress.artifact import Artifact, DamagedArtifact
from compress.measurement import Measurement, sessions_of
from compress.scratch import sweep_abandoned
from search.errors import ConfigError, NotFound, Paused, StudyBusy, no_study
from search.state import reading, rows
from search.state.database import explained, for_reading
from search.state.differences import refusal
from search.state.home import Home
from search.state.locks import Lock, lock_study, owner
from search.state.records import (
    ArchitectureRecord,
    ArtifactRecord,
    DeviceLatency,
    Evaluation,
    Level,
    MeasurementRecord,
    StudyRecord,
    StudyState,
    TrialRecord,
    VariantRecord,
    digest,
)
from search.state.sharing import is_shared
from search.state.tables import ArtifactRow, CheckpointRow, EventRow, StudyRow, VariantRow


class Ledger:
    """An open study database with its artifact store. Not for several threads or forked children."""

    def __init__(self, url: str, home: Home) -> None:
        self.url, self.store = url, home.store
        self._home = home
        self._locks: dict[str, Lock] = {}

    @classmethod
    def open(cls, url: str, create: bool = True, read_only: bool = False) -> Self:
        """Open for writing; with `create`, a SQLite file that is not there (and its folder) is made by the first write.
        With `read_only` what is there is read, on read-only media too.

        `url` is a database URL or the path of a SQLite file. Raises SchemaError if it cannot be used as it
        is.
        """
        return cls(url, Home(url, create and not read_only, read_only))

    def close(self) -> None:
        """Give back all locks. The studies keep their state."""
        for lock in self._locks.values():
            lock.release()
        self._locks.clear()
        self._home.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def shown(self) -> str:
        """The database for a message: the file, or the URL without its password."""
        return self._home.shown

    # Studies

    def open_study(
        self, name: str, config: Mapping[str, Any], data_hash: str, versions: Mapping[str, str], seed: int = 0
    ) -> StudyRecord:
        """Create the study, or resume it if config and data are what they were; take its lock until `close`.

        Files that a killed process left, without a row or among the temporary ones, are removed. A study that is done
        stays done. Raises StudyBusy if another process works on it, ConfigError if config or data differ from the
        study's.
        """
        self._lock(name)
        config_hash = digest(dict(config))
        with self._write() as session:
            row = session.execute(select(StudyRow).where(StudyRow.name == name)).scalar_one_or_none()
            if row is None:
                row = StudyRow(
                    name=name,
                    config=dict(config),
                    config_hash=config_hash,
                    data_hash=data_hash,
                    seed=seed,
                    stage="",
                    created_at=rows.now(),
                )
                session.add(row)
            elif (row.config_hash, row.data_hash) != (config_hash, data_hash):
                raise ConfigError(refusal(reading.study_record(row), config, data_hash))
            if row.state != "done":  # else what is recorded was made by the versions that are
                row.state, row.finished_at = "running", None
                row.versions, row.owner = dict(versions), owner()
            session.flush()
            record = reading.study_record(row)
        self.store.sweep()  # old leftovers, even while others write
        sweep_abandoned()
        self.gc()
        return record

    def studies(self) -> list[StudyRecord]:
        """All studies, oldest first."""
        with self._read() as session:
            return [reading.study_record(row) for row in session.scalars(select(StudyRow).order_by(StudyRow.id))]

    def study(self, name: str) -> StudyRecord:
        """The study called `name`. Raises NotFound, naming those there are."""
        known = self.studies()
        for record in known:
            if record.name == name:
                return record
        raise no_study(name, [record.name for record in known], self.shown)

    def set_stage(self, study_id: int, stage: str) -> None:
        """Say what the study is doing now; also a moment for SQLite to tidy up its log."""
        self._change_study(study_id, stage=stage)
        self._home.tidy()

    def set_state(self, study_id: int, state: StudyState) -> None:
        """running, paused, done or failed; the last two also set `finished_at`."""
        self._change_study(study_id, state=state, finished_at=rows.now() if state in ("done", "failed") else None)

    def event(
        self,
        study_id: int | None,
        level: Level,
        kind: str,
        message: str,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """Append to the log. `kind` is a short word to filter by, `message` is for people."""
        with self._write() as session:
            session.add(
                EventRow(
                    study_id=study_id,
                    at=rows.now(),
                    level=level,
                    kind=kind,
                    message=message,
                    data=dict(data or {}),
                )
            )

    def event_data(self, study_id: int, kind: str) -> list[dict[str, Any]]:
        """The data of the log's rows of one kind, oldest first."""
        of_kind = select(EventRow.data).where(EventRow.study_id == study_id, EventRow.kind == kind)
        with self._read() as session:
            return list(session.scalars(of_kind.order_by(EventRow.id)))

    # Trials

    def add_architecture(self, architecture_id: str, json: str, params: int, macs: int, peak_bytes: int) -> None:
        """Remember an architecture and its exact counts, once in the database."""
        with self._write() as session:
            rows.add_architecture(session, ArchitectureRecord(architecture_id, json, params, macs, peak_bytes))

    def record_trial(self, study_id: int, trial: TrialRecord) -> int:
        """Write a finished trial with its architecture, evaluations and measurements; returns its id.

        A trial that is already there stays as it is. Raises Conflict if its number belongs to another
        architecture, or its architecture to another number of this study.
        """
        with self._write() as session:
            return rows.add_trial(session, study_id, trial)

    def trials(self, study_id: int) -> list[TrialRecord]:
        """The study's finished trials by number, with architecture and evaluations."""
        with self._read() as session:
            return reading.read_trials(session, study_id)

    # Measurements

    def add_device(self, fingerprint: str, name: str, kind: str, spec: Mapping[str, Any]) -> None:
        """Describe the device that measurements name by this `fingerprint` (sha256 of `spec`)."""
        with self._write() as session:
            rows.add_device(session, fingerprint, name, kind, dict(spec))

    def record_measurements(
        self,
        study_id: int | None,
        architecture_id: str | None,
        variant_id: int | None,
        measurements: Iterable[Measurement],
    ) -> None:
        """Keep measurements for all studies.

        The same file, device, metric and `details["protocol"]`: the first stays.
        """
        with self._write() as session:
            rows.add_measurements(session, study_id, architecture_id, variant_id, measurements)

    def measurements(
        self,
        study_id: int | None = None,
        architecture_ids: Sequence[str] | None = None,
        artifact: str | None = None,
        fingerprint: str | None = None,
        metric: str | None = None,
    ) -> list[MeasurementRecord]:
        """Measurements of all studies that meet every condition given, oldest first.

        `device` in them is the name under which the device was first recorded: compare fingerprints.
        """
        conditions = reading.matching(study_id, architecture_ids, artifact, fingerprint, metric)
        with self._read() as session:
            return reading.read_measurements(session, *conditions)

    def latencies_elsewhere(self, fingerprint: str, metric: str = "latency_ms") -> list[DeviceLatency]:
        """Latencies of architectures on all devices but this one, by any study: what a predictor may learn from."""
        with self._read() as session:
            return reading.read_latencies(session, fingerprint, metric)

    def calibrated(self, fingerprint: str, metric: str) -> list[tuple[str, Measurement]]:
        """(architecture as JSON, measurement) of networks measured on this device outside of any study."""
        with self._read() as session:
            return reading.read_calibrated(session, fingerprint, metric)

    def known_measurement(self, artifact: str, fingerprint: str, metric: str, sessions: int = 1) -> Measurement | None:
        """The newest measurement of this file on this device by any study, in at least so many sessions; a formula
        needs none. None if it has to be measured."""
        found = self.measurements(artifact=artifact, fingerprint=fingerprint, metric=metric)
        found = [m for m in found if m.measurement.kind == "simulated" or sessions_of(m.measurement) >= sessions]
        return found[-1].measurement if found else None

    # Variants

    def record_variant(self, study_id: int, variant: VariantRecord) -> int:
        """Write a variant with its parents, artifacts' rows, evaluations and measurements; returns its id.

        One with the same key that is already there stays as it is. Its files are in the store before this.
        """
        for sha256 in {variant.weights, variant.model, *(a.sha256 for a in variant.artifacts)} - {None}:
            self.store.path(sha256)  # a row never comes before its file
        with self._write() as session:
            return rows.add_variant(session, study_id, variant)

    def variants(self, study_id: int, after: int = 0) -> list[VariantRecord]:
        """The study's variants in the order they were made, with parents, evaluations and measurements; those whose id
        is greater than `after`."""
        with self._read() as session:
            return reading.read_variants(session, study_id, after)

    def mark_shipped(self, variant_id: int) -> None:
        """This variant is what the user gets. Raises NotFound if there is none with this id."""
        with self._write() as session:
            changed = session.execute(update(VariantRow).where(VariantRow.id == variant_id).values(is_shipped=True))
            if changed.rowcount == 0:  # type: ignore[attr-defined]
                raise NotFound(f"no variant {variant_id} in {self.shown}.")

    def record_evaluations(
        self, study_id: int, of: TrialRecord | VariantRecord, evaluations: Sequence[Evaluation]
    ) -> None:
        """Add to what is written: a trial's qualities after a short training, a variant's on the test part."""
        owner_ids = (of.id, None) if isinstance(of, TrialRecord) else (None, of.id)
        with self._write() as session:
            rows.add_evaluations(session, study_id, of.architecture_id, *owner_ids, evaluations)

    # Artifacts

    def add_artifact(
        self,
        study_id: int | None,
        source: Path | bytes,
        kind: str,
        maker: str = "",
        details: Mapping[str, Any] | None = None,
        parents: Sequence[str] = (),
    ) -> str:
        """Store a file, then its row; returns its sha256. Raises Paused if the disk is full."""
        artifact = self._put(source)
        record = ArtifactRecord(artifact.sha256, artifact.size_bytes, kind, maker, details or {}, tuple(parents))
        with self._write() as session:
            rows.add_artifact(session, study_id, record)
        return artifact.sha256

    def save_checkpoint(self, study_id: int, name: str, data: bytes) -> str:
        """Make `data` the study's checkpoint of that name; returns its sha256.

        The one before is removed after.
        """
        artifact = self._put(data)
        record = ArtifactRecord(artifact.sha256, artifact.size_bytes, "checkpoint", name)
        with self._write() as session:
            dropped = rows.replace_checkpoint(session, study_id, name, record)
        if dropped is not None:
            self.store.remove(dropped)
        return artifact.sha256

    def load_checkpoint(self, study_id: int, name: str) -> bytes | None:
        """The study's latest checkpoint of that name; None if there is none or its file is damaged.

        A damaged one is logged as an event: the study does that stage again.
        """
        with self._read() as session:
            row = session.get(CheckpointRow, (study_id, name))
        if row is None:
            return None
        try:
            with self.store.open(row.sha256) as stream:
                return stream.read()
        except (FileNotFoundError, DamagedArtifact) as error:
            self.event(study_id, "warning", "checkpoint", f"checkpoint {name!r} cannot be used: {error}")
            return None

    def orphans(self) -> list[str]:
        """sha256 of the files without a row: left by a killed process, or about to be recorded by another. None where
        other databases keep files in the same store: what has no row here may be theirs."""
        if is_shared(self.store):
            return []
        with self._read() as session:
            known = set(session.scalars(select(ArtifactRow.sha256)))
        return [name for name in self.store.names() if name not in known]

    def gc(self) -> list[str]:
        """Remove half written files and those without a row; returns the sha256 of the latter.

        Does nothing while another process has the store open.
        """
        writers = self._home.writers()
        if not writers.try_alone():
            return []
        try:
            self.store.sweep(older_than_s=0.0)
            removed = self.orphans()
            for sha256 in removed:
                self.store.remove(sha256)
            return removed
        finally:
            writers.share()

    # Inside

    def _put(self, source: Path | bytes) -> Artifact:
        try:
            self._home.to_write()
            return self.store.put(source)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise Paused(
                    f"the disk of {self.store.root} is full. Free some space, then resume the study."
                ) from error
            raise

    def _lock(self, name: str) -> None:
        if name in self._locks:
            return
        self._home.to_write()  # its folder holds the lock
        lock = lock_study(self.url, name)
        if lock is None:
            holder = next((study.owner for study in self.studies() if study.name == name), "") or "another process"
            raise StudyBusy(
                f"study {name!r} is being worked on by {holder}. Wait, stop it (Ctrl-C pauses safely), "
                "or start another study under another `study:` name."
            )
        self._locks[name] = lock

    def _change_study(self, study_id: int, **values: Any) -> None:
        with self._write() as session:
            row = session.get(StudyRow, study_id)
            if row is None:
                raise NotFound(f"no study with id {study_id} in {self.shown}.")
            for name, value in values.items():
                setattr(row, name, value)

    @contextmanager
    def _write(self) -> Iterator[Session]:
        engine = self._home.to_write()
        with explained(engine.url), Session(engine) as session, session.begin():
            yield session

    @contextmanager
    def _read(self) -> Iterator[Session]:
        engine = self._home.to_read()
        with explained(engine.url), Session(for_reading(engine)) as session:
            yield session
