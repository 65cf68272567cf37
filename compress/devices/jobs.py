"""What is asked of a runner (`compress/runner/`), here or at the other end of a wire."""

from __future__ import annotations

import contextlib
import io
import json
import re
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from compress import runner
from compress.artifact import sha256_of
from compress.devices import DeviceError
from compress.scratch import scratch_folder

ARCHIVE = "runner.zip"
START = "from compress.runner.answering import main\n\nmain()\n"


def file_entry(path: Path) -> dict[str, str]:
    """A file and its sha256, which the runner compares. Raises: DeviceError: if it cannot be read."""
    try:
        return {"path": str(path), "sha256": sha256_of(path)}
    except OSError as error:
        raise DeviceError(f"{path} cannot be read ({error.strerror}). Export the network again.") from error


def read_shapes(text: str) -> dict[str, list[int]]:
    """`input=1x3x224x224,mask=1x16` as {input: sizes}; an input's name may hold anything but `=` and `,`.

    Raises: ValueError: if it is not of that form.
    """
    shapes = {}
    for part in filter(None, text.split(",")):
        name, _, sizes = part.partition("=")
        if not name or not re.fullmatch(r"[1-9]\d*(x[1-9]\d*)*", sizes):
            raise ValueError(f"`shapes` must read input=1x3x224x224, got {part!r}. Several are separated by commas.")
        shapes[name.strip()] = [int(size) for size in sizes.split("x")]
    return shapes


def archive() -> bytes:
    """The runner as one file that `python` runs, the same bytes each time; it is of this version of Lathe."""
    packed, rooms = io.BytesIO(), Path(runner.__file__).parents[2]
    files = [rooms / "compress/__init__.py", *sorted(Path(runner.__file__).parent.rglob("*.py"))]
    texts = {str(file.relative_to(rooms)): file.read_text() for file in files}
    with zipfile.ZipFile(packed, "w") as whole:
        for name, text in {**texts, "__main__.py": START}.items():
            whole.writestr(zipfile.ZipInfo(name), text)
    return packed.getvalue()


@contextlib.contextmanager
def packed_runner() -> Iterator[Path]:
    """The archive as a file, for as long as the block lasts."""
    with scratch_folder() as folder:
        path = folder / ARCHIVE
        path.write_bytes(archive())
        yield path


def run_here(job: dict[str, Any], limit_s: int) -> dict[str, Any]:
    """Answer a job in a new process of this machine. Raises: DeviceError: if it dies or takes longer than limit_s."""
    with packed_runner() as program:
        command = [sys.executable, "-I", str(program)]
        done = subprocess.run(command, input=json.dumps(job | {"limit_s": limit_s}), capture_output=True, text=True)
    return read_answer(done.stdout, done.stderr, done.returncode, limit_s)


def read_answer(text: str, errors: str, code: int, limit_s: int) -> dict[str, Any]:
    """The answer of a runner that has ended. Raises: DeviceError: if there is none; the message says what it said."""
    if code in (-signal.SIGALRM, 128 + signal.SIGALRM):
        raise DeviceError(
            f"the job took more than {limit_s} s and was ended. Raise `limit_s`, or measure less at once."
        )
    try:
        answer = json.loads(text)
    except ValueError:
        said = (errors or text).strip().splitlines()
        raise DeviceError(
            f"the runner ended with code {code} and no answer: {said[-1] if said else 'silently'}"
        ) from None
    if not isinstance(answer, dict):
        raise DeviceError(f"the runner's answer is no mapping but {answer!r:.40}.")
    if "error" in answer:
        raise DeviceError(str(answer["error"]))
    return answer
