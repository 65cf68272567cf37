"""The dashboard and the report as a real browser shows them."""

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dashboard.run import command
from search.report.page import report_html
from search.report.summary import summarise
from search.state.recorded import load_study
from tests.dashboard.chromium import Page, chromium, executable
from tests.search.recorded_study import record_study

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.browser, pytest.mark.skipif(executable() is None, reason="Chromium is not installed")]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("studies") / "lathe.db")
    record_study(path)
    return path


@pytest.fixture(scope="module")
def address(database: str) -> Iterator[str]:
    """The real server, started as `search dashboard` starts it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    server = subprocess.Popen(command(database, port), env=environment, stdout=subprocess.DEVNULL)
    try:
        _wait_until_up(f"http://127.0.0.1:{port}/_stcore/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with chromium(tmp_path / "profile") as opened:
        yield opened


def _wait_until_up(url: str) -> None:
    for _ in range(120):
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    raise TimeoutError("the dashboard did not start")


def test_the_dashboard_draws_the_front_explains_a_clicked_mark_and_asks_nobody_else(
    page: Page, address: str, database: str, tmp_path: Path
) -> None:
    point = summarise(load_study("digits-cpu", database)).front[0]
    mark = f"path[aria-roledescription=circle][aria-label*='trial: {point.number};']"
    page.open(f"{address}/?study=digits-cpu")
    page.wait_for("the search won")
    page.wait_for("Filled: measured")
    page.wait_for_element(mark)
    page.click(mark)
    page.wait_for(f"Trial {point.number}, on the front:")
    assert page.picture(tmp_path / "dashboard.png").stat().st_size > 20_000
    assert page.failures == []
    asked = {urlsplit(url).netloc for url in page.requests if not url.startswith(("data:", "blob:"))}
    assert asked == {urlsplit(address).netloc}


def test_the_report_opens_from_a_file_and_loads_nothing(page: Page, database: str, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(report_html(load_study("digits-cpu", database)))
    page.open(file.as_uri())
    page.wait_for("Was it worth searching?")
    assert page.picture(tmp_path / "report.png", full=True).stat().st_size > 50_000
    assert [url for url in page.requests if not url.startswith("data:")] == [file.as_uri()]
    assert page.failures == []
    assert page.ask("document.documentElement.scrollWidth <= window.innerWidth")
