"""Is this machine ready? Each finding says what was found and what to do about it."""

import os
import sqlite3
import sys
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec

NEEDED = ("torch", "numpy", "optuna", "sqlalchemy", "onnx", "onnxruntime", "onnxscript", "safetensors", "scikit-learn")
OPTIONAL = {
    "streamlit": "the dashboard: pip install 'lathe[dashboard]'",
    "psycopg": "PostgreSQL: pip install 'lathe[postgres]'",
    "openvino": "the devices openvino and auto, and the format openvino: pip install 'lathe[openvino]'",
    "executorch": "the device executorch and the format pte: pip install 'lathe[executorch]'",
    "torchao": "the step qat: pip install 'lathe[qat]'",
    "torch_pruning": "pruning networks of others: pip install 'lathe[prune]'",
}
SQLITE_FIXED = (3, 51, 3)


@dataclass(frozen=True)
class Finding:
    """One line of the doctor: `remedy` is empty if nothing needs to be done."""

    what: str
    found: str
    ok: bool = True
    remedy: str = ""


def examine(db: str) -> list[Finding]:
    """Look at everything; takes a few seconds because torch and ONNX Runtime are really started."""
    return [_python(), *_libraries(), _torch(), _processor(), _runtime(), _threads(), _sqlite(), _database(db)]


def _python() -> Finding:
    found = sys.version.split()[0]
    return Finding(
        "python",
        found,
        sys.version_info >= (3, 11),
        "" if sys.version_info >= (3, 11) else "install Python 3.11 or newer",
    )


def _libraries() -> list[Finding]:
    findings = []
    for name in NEEDED:
        try:
            findings.append(Finding(name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            findings.append(Finding(name, "missing", False, f"pip install {name}"))
    for name, purpose in OPTIONAL.items():
        installed = find_spec(name) is not None
        findings.append(Finding(name, metadata.version(name) if installed else f"not installed ({purpose})"))
    return findings


def _torch() -> Finding:
    try:
        import torch

        total = float(torch.nn.functional.conv2d(torch.ones(1, 1, 4, 4), torch.ones(1, 1, 3, 3)).sum())
    except (ImportError, RuntimeError) as error:
        return Finding("torch runs", str(error), False, "reinstall torch; see TORCH_INDEX in the README for CPU builds")
    return Finding(
        "torch runs",
        f"a convolution gave {total:g}; CUDA {'found' if torch.cuda.is_available() else 'not found'}",
        total == 36.0,
    )


def _processor() -> Finding:
    """Where training happens, and whether a step of it works there."""
    try:
        import torch

        from compress.processor import VARIABLE, NoProcessor, described, processor
    except ImportError as error:
        return Finding("trains on", str(error), False, "reinstall torch")
    remedy = f"{VARIABLE}=cpu trains on the CPU"
    try:
        where = processor()
    except NoProcessor as error:
        return Finding("trains on", str(error), False, remedy)
    try:
        layer = torch.nn.Conv2d(1, 1, 3).to(where)
        layer(torch.ones(1, 1, 4, 4, device=where)).sum().backward()
    except RuntimeError as error:
        return Finding("trains on", f"{where}: {error}", False, remedy)
    return Finding("trains on", described(where))


def _runtime() -> Finding:
    try:
        import onnxruntime
    except ImportError as error:
        return Finding("onnx runtime", str(error), False, "pip install onnxruntime")
    return Finding("onnx runtime", ", ".join(onnxruntime.get_available_providers()))


def _threads() -> Finding:
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    busy = load > cores
    remedy = "other processes are busy: latencies stay comparable, training takes longer" if busy else ""
    return Finding("cores", f"{cores} usable, load {load:.1f}", True, remedy)


def _sqlite() -> Finding:
    found = tuple(int(part) for part in sqlite3.sqlite_version.split("."))
    if found >= SQLITE_FIXED:
        return Finding("sqlite", sqlite3.sqlite_version)
    note = (
        "before 3.51.3 a rare fault can damage a database with several writers; Lathe checkpoints from one process only"
    )
    return Finding("sqlite", f"{sqlite3.sqlite_version} ({note})")


def _database(db: str) -> Finding:
    from search.errors import LatheError
    from search.state.check import check
    from search.state.database import sqlite_file

    try:
        file = sqlite_file(db)
        if file is not None and not file.exists():
            return Finding("database", f"{db}: none yet, made by the first launch")
        problems = check(db)
    except LatheError as error:
        return Finding("database", str(error), False, "point --db or LATHE_DB to a study database")
    return Finding(
        "database", f"{db}: {len(problems) or 'no'} problems", not problems, "search db check" if problems else ""
    )
