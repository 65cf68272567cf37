"""A fresh study database, and a real PostgreSQL server for the tests that ask for one."""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from search import cli
from search.state.ledger import Ledger
from tests.search.command_line import Call, Said
from tests.search.finished_study import Finished, run_to_the_end

SETTINGS = "-c listen_addresses='' -c fsync=off -c unix_socket_directories="


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'runs' / 'studies.db'}"


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    with Ledger.open(url) as opened:
        yield opened


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """One finished study for all tests that read one."""
    return run_to_the_end(str(tmp_path_factory.mktemp("finished") / "lathe.db"))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of an empty server on a Unix socket, stopped after the tests; a skip where it cannot be had."""
    pytest.importorskip("psycopg", reason="the extra `postgres` is not installed")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("no PostgreSQL server is installed in /usr/lib/postgresql")
    user = _server_user()
    # not tmp_path: only its owner may enter it, and PostgreSQL refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="lathe-pg-"))
    if user is not None:
        shutil.chown(folder, user)
    data, control = folder / "data", found[-1].with_name("pg_ctl")

    def run(*command: str | Path) -> None:
        subprocess.run(command, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=60)

    try:
        run(found[-1], "-D", data, "-U", "lathe", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
        run(control, "-D", data, "-w", "-l", folder / "log", "-o", f"{SETTINGS}{folder}", "start")
        try:
            yield f"postgresql://lathe@/postgres?host={folder}"
        finally:
            run(control, "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _server_user() -> str | None:
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        pytest.skip("PostgreSQL does not run as root, and there is no user `postgres`")


@pytest.fixture
def search(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """`search ...` in this process, from the entry point of the console script on."""

    def call(*arguments: str | Path) -> Said:
        monkeypatch.setattr(sys, "argv", ["search", *map(str, arguments)])
        try:
            cli.main()
            code = 0
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 0
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return call
