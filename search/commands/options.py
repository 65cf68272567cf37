"""Options that several commands share."""

import os
from typing import Annotated

import typer

DEFAULT_DB = "studies/runs/lathe.db"

Db = Annotated[
    str, typer.Option("--db", envvar="LATHE_DB", help="Study database: a SQLite file or a postgresql:// URL.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Study = Annotated[str, typer.Argument(help="Name of the study; by default the newest one.", show_default=False)]


def default_db() -> str:
    """$LATHE_DB, or studies/runs/lathe.db in the current folder."""
    return os.environ.get("LATHE_DB", DEFAULT_DB)
