"""Whose files a store holds. A SQLite file has a store of its own; databases of servers may share a folder.

Each leaves a mark there before it writes, so that none takes for a leftover what another one knows.
"""

import uuid

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from compress.artifact import Store
from search.state.rows import add_once
from search.state.tables import ArtifactRow, MetaRow

MARK = ".of-"  # and the database's id
BEFORE = "another"  # in place of an id: files were there of a database that left no mark
_ID = "id"  # of the row of MetaRow


def mark(engine: Engine, store: Store) -> None:
    """Say that this database keeps files in the store."""
    with Session(engine) as session, session.begin():
        add_once(session, MetaRow, key=_ID, value=uuid.uuid4().hex)
        own = session.scalars(select(MetaRow.value).where(MetaRow.key == _ID)).one()
        knows_files = session.scalar(select(ArtifactRow.sha256).limit(1)) is not None
    store.root.mkdir(parents=True, exist_ok=True)
    if not _marks(store) and not knows_files and next(store.names(), None):
        (store.root / f"{MARK}{BEFORE}").touch()
    (store.root / f"{MARK}{own}").touch()


def is_shared(store: Store) -> bool:
    """Whether more than one database keeps files there: nobody can tell a leftover from what another one knows."""
    return len(_marks(store)) > 1


def _marks(store: Store) -> list[str]:
    return [path.name for path in store.root.glob(f"{MARK}*")]
