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
    """Write what a study ships: the network as ONNX in float and int8, its labels and numbers, and a check of both."""
    from search.ledger import Ledger
    from search.shipping import write_export

    name = newest(db, study)
    with Ledger.open(db, create=False) as ledger:
        for path in write_export(ledger, name, out):
            print(path)


COMMANDS = (export,)
