"""Rooms import one way only, and heavy libraries stay in the room that owns them."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ["kernels", "spaces", "compress", "search", "dashboard"]  # each may import those before it
HOMES = {
    "sqlalchemy": {"search", "dashboard"},
    "alembic": {"search"},
    "optuna": {"search"},
    "streamlit": {"dashboard"},
    "triton": {"kernels"},
}
# The name that is imported, where it is not the name of the distribution.
DISTRIBUTIONS = {
    "litert_torch": "litert-torch",
    "ai_edge_litert": "ai-edge-litert",
    "neural_compressor": "neural-compressor-pt",
    "PIL": "pillow",
    "ruamel": "ruamel.yaml",
    "sklearn": "scikit-learn",
    "torch_pruning": "torch-pruning",
}


def modules() -> Iterator[Path]:
    for room in ROOMS:
        yield from sorted((ROOT / room).rglob("*.py"))


def imported(file: Path) -> set[str]:
    """The top-level names a module imports, also inside functions and under TYPE_CHECKING."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: write the whole name instead of a relative import"
            found.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "importlib.import_module",
            "import_module",
        ):
            found |= {str(a.value).partition(".")[0] for a in node.args if isinstance(a, ast.Constant)}
    return found


def declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for name, extra in extras.items() if name != "dev" for line in extra)]
    return {re.split(r"[\s\[<>=!~;]", line)[0].lower() for line in lines}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_the_rooms_below_it(room: str) -> None:
    above = set(ROOMS[ROOMS.index(room) + 1 :]) | {"tests", "studies"}
    files = sorted((ROOT / room).rglob("*.py"))
    assert files, f"{room}/ has no module"
    wrong = {str(f.relative_to(ROOT)): sorted(imported(f) & above) for f in files if imported(f) & above}
    assert not wrong


@pytest.mark.parametrize("library", sorted(HOMES))
def test_a_library_is_imported_only_where_it_lives(library: str) -> None:
    users = [str(f.relative_to(ROOT)) for f in modules() if library in imported(f)]
    assert not [user for user in users if user.split("/")[0] not in HOMES[library]]


def test_everything_imported_is_declared_in_pyproject() -> None:
    known = set(sys.stdlib_module_names) | set(ROOMS)
    missing = {
        (name, str(file.relative_to(ROOT)))
        for file in modules()
        for name in imported(file) - known
        if DISTRIBUTIONS.get(name, name).lower() not in declared()
    }
    assert not missing


def test_every_folder_of_a_room_is_a_package() -> None:
    folders = {file.parent for file in modules() if file.parent.name != "versions"}  # migrations are read as files
    assert not [str(f.relative_to(ROOT)) for f in folders if not (f / "__init__.py").exists()]
