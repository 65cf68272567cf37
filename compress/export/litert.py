"""LiteRT (.tflite), for telephones: converted and run by another Python, named by LATHE_LITERT_PYTHON.

`litert-torch` pins other versions than Lathe does (pydantic, torch), so it has an environment of its own:

    python3 -m venv litert && litert/bin/pip install litert-torch==0.10.0
    export LATHE_LITERT_PYTHON=$PWD/litert/bin/python
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from compress.export import EXPORTERS, Exporter, ExportError, Normalisation
from compress.export.pt2 import export_pt2
from compress.scratch import scratch_folder

if TYPE_CHECKING:
    from torch import nn

VARIABLE = "LATHE_LITERT_PYTHON"
WORKER = Path(__file__).with_name("litert_worker.py")
LIMIT_S = 600
INSTALL = (
    f"the format litert needs an environment of its own: python3 -m venv litert; litert/bin/pip install "
    f"litert-torch==0.10.0; export {VARIABLE}=$PWD/litert/bin/python"
)


def export_litert(network: nn.Module, normalisation: Normalisation, input_shape: tuple[int, ...], path: Path) -> Path:
    """Write `network` as a .tflite file; its contract is `Exporter`'s.

    Through a torch.export program, which the other Python reads. Raises: ExportError. Cost: 15-60 s, mostly imports.
    """
    with scratch_folder() as folder:
        program = export_pt2(network, normalisation, input_shape, folder / "network.pt2")
        made = folder / "network.tflite"
        ask(
            "convert",
            program,
            made,
            what=f"LiteRT does not take the network: {{}} Write `onnx` in place of {path.name}.",
        )
        try:
            path.write_bytes(made.read_bytes())
        except OSError as error:
            raise ExportError(f"cannot write {path}: {error.strerror}. Check the folder and the free space.") from error
    return path


def answers(path: Path, x: np.ndarray) -> np.ndarray:
    """(N, C, H, W) float32 raw pixels -> (N, classes) float32, in LiteRT on one thread. Raises: ExportError."""
    with scratch_folder() as folder:
        given, found = folder / "given.npy", folder / "found.npy"
        np.save(given, x.astype(np.float32))
        ask("answer", path, given, found, what=f"LiteRT cannot run {path}: {{}} Export the network again.")
        return np.load(found)


def latency_ms(path: Path) -> float:
    """Of one evaluation on one thread of this machine: the 10th percentile of 30 rounds' fastest of 5 calls, after 200
    ms of calls. Raises: ExportError."""
    said = ask("time", path, what=f"LiteRT cannot run {path}: {{}} Export the network again.")
    return float(said["latency_ms"])


def ask(*arguments: str | Path, what: str) -> dict[str, Any]:
    """Let the other Python do it; what it says. what: of an error, with {} for the reason. Raises: ExportError."""
    python = os.environ.get(VARIABLE, "")
    if not python:
        raise ExportError(INSTALL)
    command = [python, str(WORKER), *map(str, arguments)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ExportError(f"{VARIABLE} is {python}, which does not answer: {error}. Name a Python.") from error
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    said = json.loads(lines[-1]) if lines else {"error": (done.stderr.strip().splitlines() or ["no word"])[-1]}
    if "missing" in said:
        raise ExportError(f"{python} lacks {said['missing']}. {INSTALL}")
    if "error" in said:
        raise ExportError(what.format(str(said["error"])[:300]))
    return said


EXPORTERS.register("litert")(Exporter(export_litert, answers, ".tflite", 1e-4, latency_ms=latency_ms))
