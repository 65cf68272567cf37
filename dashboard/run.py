"""The command line that serves the dashboard on this machine: `python -m dashboard.run --db URL`."""

import argparse
import os
import sys
from pathlib import Path


def command(url: str, port: int = 8501, host: str = "127.0.0.1") -> list[str]:
    """`streamlit run` on the database at `url`: headless, no telemetry, no file watching, nothing to deploy.

    Raises ImportError if Streamlit is not installed: it comes with the extra `dashboard`.
    """
    import streamlit  # noqa: F401  (said here, in words, rather than by a child process)

    options = {
        "server.port": str(port),
        "server.address": host,
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "theme.light.primaryColor": "#0067a8",  # one for both would fix the theme to light
        "theme.dark.primaryColor": "#5bb4f0",
    }
    flags = [part for name, value in options.items() for part in (f"--{name}", value)]
    return [sys.executable, "-m", "streamlit", "run", str(Path(__file__).with_name("app.py")), *flags, "--", url]


def main() -> None:
    """Become the server: nothing is left behind when it is stopped."""
    parser = argparse.ArgumentParser(prog="python -m dashboard.run", description=__doc__)
    parser.add_argument("--db", required=True, help="study database: a SQLite file or a postgresql:// URL")
    parser.add_argument("--port", type=int, default=8501)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    given = parser.parse_args()
    os.execv(sys.executable, command(given.db, given.port, given.host))


if __name__ == "__main__":
    main()
