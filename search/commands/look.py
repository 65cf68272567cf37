"""Commands that read: status, top, show, report, dashboard. They never write to the database."""

import json
from pathlib import Path
from typing import Annotated

import typer

from search.commands.options import DEFAULT_DB, Db, Json
from search.errors import NotFound

StudyName = Annotated[str, typer.Argument(help="Name of the study (default: the newest).", show_default=False)]


def status(study: StudyName = "", db: Db = DEFAULT_DB, as_json: Json = False) -> None:
    """What the studies of the database are doing: stage, progress, failures."""
    from search.ledger import Ledger
    from search.summary import status_rows

    with Ledger.open(db, create=False) as ledger:
        rows = status_rows(ledger, study or None)
    if as_json:
        print(json.dumps({"v": 1, "studies": rows}, default=str))
    elif not rows:
        print("no studies yet. Start one:  search launch studies/digits/space.yaml")
    else:
        _table(
            ["study", "state", "stage", "done", "trials", "failed", "created"],
            [[str(r[k]) for k in ("name", "state", "stage", "done", "trials", "failed", "created")] for r in rows],
        )


def top(
    study: StudyName = "",
    number: Annotated[int, typer.Option("-n", help="How many.")] = 10,
    front: Annotated[bool, typer.Option("--front", help="Only the measured front.")] = False,
    db: Db = DEFAULT_DB,
    as_json: Json = False,
) -> None:
    """The best trials of a study by its first objective, each latency marked measured or predicted."""
    from search.summary import top_rows

    rows = top_rows(_load(db, study), number, front)
    if as_json:
        print(json.dumps({"v": 1, "trials": rows}))
    else:
        names = list(rows[0]) if rows else ["trial"]
        _table(names, [[_cell(row[name]) for name in names] for row in rows])


def show(
    study: StudyName = "",
    config: Annotated[bool, typer.Option("--config", help="Print the effective configuration.")] = False,
    db: Db = DEFAULT_DB,
    as_json: Json = False,
) -> None:
    """One study: what was shipped, the chain of steps of every winner, and the baselines."""
    loaded = _load(db, study)
    if config:
        print(json.dumps(loaded.config, indent=None if as_json else 2))
    elif as_json:
        print(json.dumps(loaded.json_tree()))
    else:
        print(loaded.text())


def report(
    study: StudyName = "",
    out: Annotated[Path | None, typer.Option("--out", help="File to write.")] = None,
    db: Db = DEFAULT_DB,
) -> None:
    """Write one self-contained HTML file: the front with error bars, baselines, steps, hardware, how to reproduce."""
    from search.ledger import Ledger
    from search.report import write_report

    with Ledger.open(db, create=False) as ledger:
        name = study or newest(ledger)
        path = write_report(ledger, name, out or Path(f"studies/runs/{name}.html"))
    print(path)


def dashboard(
    db: Db = DEFAULT_DB,
    port: Annotated[int, typer.Option(help="Port.")] = 8501,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Open the dashboard on this machine (read-only, telemetry off). Ctrl-C stops it."""
    import subprocess
    import sys

    try:
        from dashboard.run import command
    except ImportError as error:
        raise NotFound("the dashboard needs its extra: pip install 'lathe[dashboard]'.") from error
    print(f"dashboard of {db} on http://{host}:{port}  (Ctrl-C stops it)", file=sys.stderr)
    raise typer.Exit(subprocess.call(command(db, port, host)))


def _load(db, study):  # noqa: ANN001, ANN202  (typed where it is defined; typing here would import torch)
    from search.ledger import Ledger
    from search.summary import load_study

    with Ledger.open(db, create=False) as ledger:
        return load_study(ledger, study or newest(ledger))


def newest(ledger) -> str:  # noqa: ANN001
    studies = ledger.studies()
    if not studies:
        raise NotFound("no studies yet. Start one:  search launch studies/digits/space.yaml")
    return studies[-1].name


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _table(names: list[str], rows: list[list[str]]) -> None:
    """A table on a terminal, tab-separated lines in a pipe."""
    import sys

    if not sys.stdout.isatty():
        print("\n".join("\t".join(row) for row in [names, *rows]))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*names, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


COMMANDS = (status, top, show, report, dashboard)
