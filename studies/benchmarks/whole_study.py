"""How long a whole study takes, and how much memory: python studies/benchmarks/whole_study.py [SPACE] [--runs 3]

Runs `search launch` from nothing in a fresh database, imports included, and prints wall seconds and the peak resident
memory of each run, then the median and the range. Run it on an otherwise idle machine.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def one_run(space: Path, folder: Path) -> tuple[float, float]:
    """(wall seconds, peak MB) of one launch; the operating system's own account of the finished process."""
    command = [sys.executable, "-m", "search", "launch", str(space), "--db", str(folder / "lathe.db"), "-q"]
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"the study failed with exit code {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - began, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("space", nargs="?", type=Path, default=Path("studies/digits/space.yaml"))
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    results = []
    for number in range(arguments.runs):
        with tempfile.TemporaryDirectory() as folder:
            results.append(one_run(arguments.space, Path(folder)))
        print(
            f"run {number + 1}: {results[-1][0]:.0f} s, {results[-1][1]:.0f} MB, load {os.getloadavg()[0]:.1f}",
            flush=True,
        )
    for name, values in zip(("seconds", "MB"), zip(*results, strict=True), strict=True):
        print(f"{name}: median {statistics.median(values):.0f}, {min(values):.0f} to {max(values):.0f}")


if __name__ == "__main__":
    main()
