"""Is everything that the study database says true? Reads only; a problem is one line that says what to do."""

from collections.abc import Iterator

from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import InstrumentedAttribute, Session

from compress.artifact import DamagedArtifact, Store
from search.state.database import can_be_written, check_schema, connect, explained, sqlite_file, store_of
from search.state.locks import lock_study
from search.state.sharing import is_shared
from search.state.tables import ArtifactRow, EvaluationRow, MeasurementRow, StudyRow, TrialRow, VariantRow

_KEYS: tuple[tuple[str, tuple[InstrumentedAttribute, ...]], ...] = (
    ("trial number", (TrialRow.study_id, TrialRow.number)),
    ("trial's architecture", (TrialRow.study_id, TrialRow.architecture_id)),
    ("variant", (VariantRow.study_id, VariantRow.key)),
    ("evaluation", (EvaluationRow.key,)),
    ("measurement", (MeasurementRow.key,)),
)


def check(url: str) -> list[str]:
    """What is wrong with the database and its artifacts; empty if nothing is. Reads every artifact's bytes.

    While a study is running, a file that it is about to record may be listed. Raises SchemaError if the
    database cannot be read at all.
    """
    engine = connect(url, read_only=True)
    try:
        check_schema(engine)
        with explained(engine.url), Session(engine) as session:
            return [
                *_database_problems(session, engine),
                *_duplicates(session),
                *_artifact_problems(session, store_of(url)),
                *_abandoned(session, url),
            ]
    finally:
        engine.dispose()


def _database_problems(session: Session, engine: Engine) -> Iterator[str]:
    if engine.dialect.name != "sqlite":
        return
    for (line,) in session.execute(text("PRAGMA integrity_check")):
        if line != "ok":
            yield f"the file is damaged: {line}. Restore it from a backup."
    for table, row, parent, _ in session.execute(text("PRAGMA foreign_key_check")):
        yield f"row {row} of {table} refers to a row of {parent} that is not there."


def _duplicates(session: Session) -> Iterator[str]:
    for noun, columns in _KEYS:
        for key in session.execute(select(*columns).group_by(*columns).having(func.count() > 1)):
            yield f"a {noun} is there twice: {tuple(key)}."


def _artifact_problems(session: Session, store: Store) -> Iterator[str]:
    known = set(session.scalars(select(ArtifactRow.sha256)))
    for sha256 in sorted(known):
        try:
            store.open(sha256).close()
        except (FileNotFoundError, DamagedArtifact) as error:
            yield str(error)
    for name in store.names() if not is_shared(store) else ():
        if name not in known:
            yield f"file {name[:12]} in {store.root} has no row. `search resume` removes or records it."
    for partial in sorted(store.root.glob("*.partial")):
        yield f"{partial.name} in {store.root} is half written. `search resume` removes it."


def _abandoned(session: Session, url: str) -> Iterator[str]:
    file = sqlite_file(url)
    if file is not None and not can_be_written(file):
        return  # nobody can be asked for a lock there, nor go on with a study
    query = select(StudyRow.name, StudyRow.owner).where(StudyRow.state == "running")
    for name, owner in session.execute(query).all():
        lock = lock_study(url, name)
        if lock is not None:
            lock.release()
            yield f"study {name!r} is marked running, but {owner} is gone. Go on with `search resume {name}`."
