"""The command that makes networks between two trained ones: stitch."""

from typing import Annotated

import typer

from search.commands.develop import explained, run_study
from search.commands.look import StudyName, newest
from search.commands.options import DEFAULT_DB, Db, Json

NAMES = "a trial's number, hand-made, random or teacher"


def stitch(
    study: StudyName = "",
    small: Annotated[
        str, typer.Option("--small", help=f"The fast network: {NAMES}. [default: the fastest]", show_default=False)
    ] = "",
    large: Annotated[
        str,
        typer.Option("--large", help="The accurate one. [default: the most accurate]", show_default=False),
    ] = "",
    keep: Annotated[int, typer.Option("--keep", min=1, help="Networks of the front that become files.")] = 6,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Of training all of them together.")] = 8,
    lr: Annotated[float, typer.Option("--lr", min=1e-6, help="Peak learning rate of that training.")] = 0.03,
    name: Annotated[
        str, typer.Option("--name", help="Of the study that is made. [default: STUDY-stitched]", show_default=False)
    ] = "",
    db: Db = DEFAULT_DB,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
) -> None:
    """Make networks between two trained ones of a study. To choose from by latency; the same call resumes it."""
    with explained():
        from search.state.ledger import Ledger
        from search.stitching.anchors import choose_anchors, trained_networks
        from search.stitching.config import Stitching, checked_for_stitching, stitch_config

        of = newest(db, study)
        with Ledger.open(db, create=False) as ledger:
            record = ledger.study(of)
            base = checked_for_stitching(record)
            found = trained_networks(ledger, record, base.compress.max_drop)
            one, other = choose_anchors(found, small, large, of)
        settings = Stitching(of, one.record.id or 0, other.record.id or 0, keep, epochs, lr)
        config = stitch_config(record.config, name or f"{of}-stitched", settings)
        run_study(config, db, quiet, as_json)


COMMANDS = (stitch,)
