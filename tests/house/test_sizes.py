"""Files and functions stay small enough to read."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ["kernels", "spaces", "compress", "search", "dashboard", "tests"]
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 80


def sources() -> list[Path]:
    return [file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py"))]


def test_no_source_file_passes_400_lines() -> None:
    lengths = {str(f.relative_to(ROOT)): len(f.read_text().splitlines()) for f in sources()}
    assert len(lengths) > 10
    assert not {name: length for name, length in lengths.items() if length > MAX_FILE_LINES}


def test_no_function_passes_80_lines() -> None:
    long: dict[str, int] = {}
    for file in sources():
        if file.parent.name == "versions":
            continue  # a migration is one flat list of statements, and is never edited again
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    long[f"{file.relative_to(ROOT)}:{node.name}"] = length
    assert not long
