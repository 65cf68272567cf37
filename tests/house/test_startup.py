"""`search --help` answers at once: what takes seconds to import is imported by who needs it."""

import subprocess
import sys

import pytest

HEAVY = [
    "torch",
    "optuna",
    "onnx",
    "onnxruntime",
    "sklearn",
    "streamlit",
    "sqlalchemy",
    "scipy",
    "pandas",
    "pyarrow",
]


def loaded_by(statement: str) -> set[str]:
    program = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


def test_importing_the_command_line_loads_no_heavy_library() -> None:
    assert not loaded_by("import search.commands.app") & set(HEAVY)


def test_the_entry_point_loads_no_library_at_all_and_so_answers_ctrl_c_from_the_start() -> None:
    assert not loaded_by("import search.cli") & {*HEAVY, "typer", "click", "rich", "compress"}


@pytest.mark.parametrize("room", ["kernels", "spaces", "compress", "search"])
def test_importing_a_room_loads_no_heavy_library(room: str) -> None:
    assert not loaded_by(f"import {room}") & set(HEAVY)


def test_python_dash_m_search_is_the_command() -> None:
    run = subprocess.run([sys.executable, "-m", "search", "lunch"], capture_output=True, text=True)
    assert run.returncode == 2
    assert "Did you mean 'launch'" in run.stderr
