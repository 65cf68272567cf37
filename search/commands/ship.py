"""Commands that hand out files: export."""

from pathlib import Path
from typing import Annotated

import typer

from search.commands.develop import check_out
from search.commands.look import StudyName, newest
from search.commands.options import DEFAULT_DB, Db


def export(
    study: StudyName = "",
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.")] = Path("export"),
    bundle: Annotated[
        bool, typer.Option("--bundle", help="Add runners, a test with its answer, a model card and sums.")
    ] = False,
    archive: Annotated[bool, typer.Option("--zip", help="Write one file OUT.zip instead of a folder.")] = False,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="Also the float network as openvino, pte, litert, ... (repeatable). [the study's]",
        ),
    ] = None,
    budget: Annotated[
        str, typer.Option("--budget", help="The most accurate network within 0.05ms, 50us or 0.05ms@DEVICE instead.")
    ] = "",
    db: Db = DEFAULT_DB,
) -> None:
    """Write what a study ships. Its ONNX files, one a precision that was kept, and card.json with their numbers."""
    from compress.export import EXPORTERS
    from search.config.fields import suggestion
    from search.errors import UsageError
    from search.shipping.budget import read_budget
    from search.shipping.export import write_export
    from search.state.ledger import Ledger

    for wanted in formats or ():
        if wanted not in EXPORTERS.names():
            raise UsageError(f"unknown format {wanted!r}: {suggestion(wanted, EXPORTERS.names())}")

    if not archive:
        check_out(out)
    within = read_budget(budget) if budget else None
    name = newest(db, study)
    with Ledger.open(db, read_only=True) as ledger:
        for path in write_export(ledger, name, out, bundle, archive, formats or (), within):
            print(path)


COMMANDS = (export,)
