"""Commands about the installation and the database: doctor, db."""

import json
import sys
from typing import Annotated

import typer

from search.commands.options import DEFAULT_DB, Db, Json

db = typer.Typer(help="Check, upgrade and clean the study database.", no_args_is_help=True, rich_markup_mode=None)


def doctor(db: Db = DEFAULT_DB, as_json: Json = False) -> None:
    """Check Python, libraries, threads and the database. Prints what to do about what is wrong."""
    from search.doctor import examine

    findings = examine(db)
    if as_json:
        print(json.dumps({"v": 1, "findings": [vars(f) for f in findings]}))
    else:
        for finding in findings:
            mark = "ok  " if finding.ok else "FIX "
            print(
                f"{mark} {finding.what:<18} {finding.found}" + (f"\n     -> {finding.remedy}" if finding.remedy else "")
            )
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


@db.command()
def check(db: Db = DEFAULT_DB) -> None:
    """Check every rule of the study database and its files; lists what is broken."""
    from search.state.check import check as problems_of

    problems = problems_of(db)
    print("\n".join(problems) if problems else f"{db}: all is well")
    if problems:
        raise typer.Exit(1)


@db.command()
def upgrade(db: Db = DEFAULT_DB) -> None:
    """Bring an older database to this version's schema, after a backup beside it."""
    from search.state.migrations import upgrade as run

    backup = run(db)
    print(f"{db} is up to date" + (f"; backup in {backup}" if backup else ""))


@db.command()
def clean(
    db: Db = DEFAULT_DB,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List, remove nothing.")] = False,
) -> None:
    """Remove stored files that no row refers to, and temporary ones of processes that were killed."""
    from compress.scratch import sweep_abandoned
    from search.state.ledger import Ledger

    with Ledger.open(db, create=False, read_only=dry_run) as ledger:
        found = ledger.orphans() if dry_run else ledger.gc()
    found += map(str, sweep_abandoned(dry_run))
    print("\n".join(found), end="\n" if found else "")
    print(f"{len(found)} files and folders {'to remove' if dry_run else 'removed'}", file=sys.stderr)


COMMANDS = (doctor,)
