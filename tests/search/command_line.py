"""Calls of the command line in tests, and what they leave behind. The fixture `search` is in conftest.py."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Said:
    """What a call left behind."""

    code: int
    out: str
    err: str


Call = Callable[..., Said]


def process(*arguments: str | Path, **environ: str) -> Said:
    """The same in a process of its own, with its output in pipes."""
    command = [sys.executable, "-m", "search", *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**os.environ, "OMP_NUM_THREADS": "1", **environ}
    )
    return Said(done.returncode, done.stdout, done.stderr)


def is_one_message(said: Said, code: int, *words: str) -> None:
    """Nothing on stdout, one message on stderr that holds the words, no traceback, and the exit code."""
    assert said.code == code, said
    assert said.out == ""
    assert "Traceback" not in said.err
    assert said.err.count("error: ") == 1, said.err
    for word in words:
        assert word in said.err, said.err
