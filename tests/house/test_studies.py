"""The scripts of studies/ are long to run, so that they begin at all is claimed here: what they import is there."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "studies").rglob("*.py"))
ROOMS = {"kernels", "spaces", "compress", "search", "dashboard"}


def source_of(module: str, script: Path) -> Path | None:
    """The file of a module of ours, or of one beside the script; None for a library's."""
    path = Path(*module.split("."))
    place = ROOT if module.partition(".")[0] in ROOMS else script.parent
    found = [place / path.with_suffix(".py"), place / path / "__init__.py"]
    return next((file for file in found if file.exists()), None)


def names_of(file: Path) -> set[str]:
    """What can be imported from a file: what it defines, assigns or imports at its top, and its folder's modules."""
    found: set[str] = set()
    if file.name == "__init__.py":
        found = {other.stem for other in file.parent.iterdir() if other.is_dir() or other.suffix == ".py"}
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        else:
            found |= {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
    return found


def imports(script: Path) -> Iterator[tuple[str, str, Path]]:
    """(module, name, its file) of every `from module import name` that asks one of ours."""
    for node in ast.walk(ast.parse(script.read_text())):
        if isinstance(node, ast.ImportFrom) and (file := source_of(node.module or "", script)):
            yield from ((node.module or "", alias.name, file) for alias in node.names)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: str(script.relative_to(ROOT / "studies")))
def test_what_a_script_imports_is_there(script: Path) -> None:
    missing = [f"{module}.{name}" for module, name, file in imports(script) if name not in names_of(file)]
    assert not missing


def test_the_check_sees_names_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("def known(): ...\n")
    (tmp_path / "script.py").write_text("from beside import known, renamed\nfrom compress.train import fit, nothing\n")
    missing = [name for _, name, file in imports(tmp_path / "script.py") if name not in names_of(file)]
    assert missing == ["renamed", "nothing"]
