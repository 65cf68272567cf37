"""Commands that read: status, top, show, compare, report, dashboard. They never write to the database."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search.commands.options import DEFAULT_DB, Db, Json
from search.errors import NotFound, UsageError, no_study

if TYPE_CHECKING:
    from search.state.recorded import Recorded

NO_STUDIES = "no studies yet. Start one:  search launch studies/digits/space.yaml"

StudyName = Annotated[str, typer.Argument(help="Name of the study (default: the newest).", show_default=False)]


def status(study: StudyName = "", db: Db = DEFAULT_DB, as_json: Json = False) -> None:
    """What the studies are doing: stage, progress, failures."""
    from search.report.telling import status_rows
    from search.state.database import connect
    from search.state.recorded import read_lines

    lines = read_lines(connect(db, read_only=True))
    rows = [row for row in status_rows(lines, datetime.now(UTC)) if study in ("", row["study"])]
    if study and not rows:
        newest(db, study)
    if as_json:
        print(json.dumps({"v": 1, "studies": rows}))
    elif not rows:
        print(NO_STUDIES)
    else:
        table(list(rows[0]), [[_cell(value) for value in row.values()] for row in rows])


def top(
    study: StudyName = "",
    number: Annotated[int, typer.Option("-n", min=1, help="How many.")] = 10,
    front: Annotated[bool, typer.Option("--front", help="Only the measured front.")] = False,
    db: Db = DEFAULT_DB,
    as_json: Json = False,
) -> None:
    """The best trials of a study by its first objective. Each latency is marked measured or predicted."""
    from search.report.telling import top_rows

    rows = top_rows(_recorded(db, study), number, front)
    if as_json:
        print(json.dumps({"v": 1, "trials": rows}))
    elif not rows:
        print("no trials yet.")
    elif sys.stdout.isatty():
        from shutil import get_terminal_size

        from search.report.telling_top import top_text

        print(top_text(rows, get_terminal_size().columns))
    else:
        table(list(rows[0]), [[_cell(value) for value in row.values()] for row in rows])


def show(
    study: StudyName = "",
    config: Annotated[bool, typer.Option("--config", help="Print its space file or recipe, as it was run.")] = False,
    db: Db = DEFAULT_DB,
    as_json: Json = False,
) -> None:
    """One study: what it shipped, every step, the baselines. `--json` for programs."""
    from search.report.telling import study_text, study_tree

    recorded = _recorded(db, study)
    if config and as_json:
        print(json.dumps(dict(recorded.study.config)))
    elif config:
        from search.config.written import written

        print(written(recorded.study.config), end="")
    else:
        print(json.dumps(study_tree(recorded)) if as_json else study_text(recorded))


def report(
    study: StudyName = "",
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File to write (default: STUDY.html beside the database).", show_default=False),
    ] = None,
    db: Db = DEFAULT_DB,
) -> None:
    """Write one HTML file with the evidence. The front with error bars, baselines, steps, hardware, how to repeat."""
    from search.report.page import write_report
    from search.state.database import connect, parse, sqlite_file

    name = newest(db, study)
    folder = Path(parse(db).database or "").parent if sqlite_file(db) else Path("studies/runs")
    print(write_report(connect(db, read_only=True), name, out or folder / f"{name}.html"))


def compare(
    studies: Annotated[list[str], typer.Argument(help="Names of studies with the same objectives.")],
    out: Annotated[Path | None, typer.Option("--out", help="Write a page with their fronts in one picture.")] = None,
    db: Db = DEFAULT_DB,
    as_json: Json = False,
) -> None:
    """Studies beside each other. What each shipped, and how much of their common box its front covers."""
    from search.report.beside import beside, remarks
    from search.report.beside_page import HEADS, beside_html, rows, tree
    from search.report.html import write_page

    recorded = [_recorded(db, name) for name in dict.fromkeys(studies)]
    found = beside(recorded)
    if as_json:
        print(json.dumps(tree(recorded, found)))
    else:
        table(list(HEADS), rows(found))
        for sentence in remarks(recorded):
            print(sentence)
    if out is not None:
        print(write_page(beside_html(recorded), out), file=sys.stderr if as_json else sys.stdout)


def dashboard(
    db: Db = DEFAULT_DB,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port.")] = 8501,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Open the dashboard on this machine. Read-only, telemetry off; Ctrl-C stops it."""
    import os
    from importlib.util import find_spec

    if find_spec("streamlit") is None:
        raise NotFound("the dashboard needs Streamlit, which is not installed: pip install 'lathe[dashboard]'.")
    _check_address(host, port)
    print(f"dashboard of {db} on http://{host}:{port}  (Ctrl-C stops it)", file=sys.stderr, flush=True)
    program = [sys.executable, "-m", "dashboard.run", "--db", db, "--port", str(port), "--host", host]
    os.execv(program[0], program)  # becomes the server: nothing is left behind when it is stopped


def _check_address(host: str, port: int) -> None:
    """Raises: UsageError: if nothing can listen there, before a server says so in a page of traceback."""
    import socket

    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            attempt.bind(address)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host}, port {port}: {error.strerror}. Name another with `--port` or `--host`."
        ) from error


def _recorded(db: str, study: str) -> "Recorded":
    from search.state.database import connect
    from search.state.recorded import read_recorded

    return read_recorded(connect(db, read_only=True), newest(db, study))


def newest(db: str, study: str = "") -> str:
    """`study`, or the newest study where no name is given. Raises NotFound, naming the nearest."""
    from search.state.database import connect
    from search.state.recorded import read_lines

    names = [line.study.name for line in read_lines(connect(db, read_only=True))]
    if not names:
        raise NotFound(NO_STUDIES)
    if study and study not in names:
        raise no_study(study, names, db)
    return study or names[0]


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def table(names: list[str], rows: list[list[str]]) -> None:
    """A table on a terminal, tab-separated lines in a pipe."""
    if not sys.stdout.isatty():
        print("\n".join("\t".join(row) for row in [names, *rows]))
        return
    from rich.console import Console
    from rich.table import Column, Table

    table = Table(*(Column(name, overflow="fold") for name in names), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


COMMANDS = (status, top, show, compare, report, dashboard)
