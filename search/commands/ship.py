"""Commands that hand out files: export."""

from pathlib import Path
from typing import Annotated

import typer

from search.commands.look import StudyName, newest
from search.commands.options import DEFAULT_DB, Db


def export(
    study: StudyName = "",
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.")] = Path("export"),
    db: Db = DEFAULT_DB,
) -> None:
    """Write what a study ships: its ONNX files, one a precision that was kept, and card.json with their numbers."""
    from search.ledger import Ledger
    from search.shipping import write_export

    name = newest(db, study)
    with Ledger.open(db, create=False) as ledger:
        for path in write_export(ledger, name, out):
            print(path)


COMMANDS = (export,)
