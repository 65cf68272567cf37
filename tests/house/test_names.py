"""Modules are named after ideas, and our names are really ours."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ["kernels", "spaces", "compress", "search", "dashboard"]
SAY_NOTHING = {
    "util",
    "utils",
    "helper",
    "helpers",
    "base",
    "manager",
    "handler",
    "engine",
    "common",
    "misc",
    "core",
}


def test_no_module_is_named_after_nothing() -> None:
    for room in ROOMS:
        for path in (ROOT / room).rglob("*"):
            parts = set(path.stem.split("_"))
            assert not parts & SAY_NOTHING, f"{path.relative_to(ROOT)}: say what is in it"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_resolves_to_this_checkout_from_anywhere(room: str, tmp_path: Path) -> None:
    """Other distributions hold packages called `kernels` and `search`; an installed one must not win."""
    command = [sys.executable, "-P", "-c", f"import {room}; print({room}.__file__)"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.strip()
    assert Path(found).resolve() == ROOT / room / "__init__.py"
