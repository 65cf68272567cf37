"""The pages say what is there: the tree of CONTRIBUTING.md, every command, every entry of a registry."""

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

ROOT = Path(__file__).parents[2]
ROOMS = ["kernels", "spaces", "compress", "search", "dashboard"]
NOT_OURS = {"build", "dist", "runs"}
REGISTRIES = {
    "Blocks": ("spaces.blocks", "BLOCKS"),
    "Enters": ("spaces.enters", "ENTERS"),
    "Tasks": ("spaces.tasks", "TASKS"),
    "Rules": ("search.supernet.rules", "RULES"),
    "Proxies": ("search.supernet.proxies", "PROXIES"),
    "Samplers": ("search.samplers", "SAMPLERS"),
    "Steps": ("compress.recipe", "STEPS"),
    "Distillation losses": ("compress.distill", "LOSSES"),
    "Quantizers": ("compress.quantize", "QUANTIZERS"),
    "Tuners": ("search.tuning.samplers", "TUNERS"),
    "Exporters": ("compress.export", "EXPORTERS"),
    "Devices": ("compress.devices", "DEVICES"),
}


def tree() -> Iterator[str]:
    """The paths in CONTRIBUTING.md's tree: the code block with a line that starts with `kernels/`.

    A line holds names with one blank between them, then two or more blanks and what they are; a line further
    in belongs to the folder above it.
    """
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", (ROOT / "CONTRIBUTING.md").read_text(), re.M | re.S)
    (block,) = [b for b in blocks if re.search(r"^kernels/", b, re.M)]
    above: list[tuple[int, str]] = []
    for line in filter(str.strip, block.splitlines()):
        depth = len(line) - len(line.lstrip())
        names = re.split(r"\s{2,}", line.strip())[0].split(" ")
        above = [(d, folder) for d, folder in above if d < depth]
        inside = above[-1][1] if above else ""
        yield from (inside + name for name in names)
        if len(names) == 1 and names[0].endswith("/"):
            above.append((depth, inside + names[0]))


def folders() -> set[str]:
    """Top-level folders, and the folders of the rooms that hold modules."""
    found = {p for p in ROOT.iterdir() if p.is_dir() and any(p.rglob("*.*"))}
    found |= {file.parent for room in ROOMS for file in (ROOT / room).rglob("*.py") if file.parent.name != "versions"}
    visible = [p.relative_to(ROOT) for p in found]
    return {
        f"{p}/"
        for p in visible
        if not p.parts[0].startswith(".") and p.parts[0] not in NOT_OURS and p.suffix != ".egg-info"
    }


def section(title: str) -> set[str]:
    """The names in the first column of the table under a heading of docs/reference.md."""
    text = (ROOT / "docs/reference.md").read_text()
    body = re.split(r"^## ", text.split(f"\n## {title}\n")[1], maxsplit=1, flags=re.M)[0]
    return set(re.findall(r"^\| `([^`]+)`", body, re.M))


def commands() -> dict[str, str]:
    """Every command of `search` and its help."""
    from search.commands.app import app  # the Typer application

    group = typer.main.get_command(app)
    return {name: command.help or "" for name, command in group.commands.items()}  # type: ignore[attr-defined]


def test_every_path_in_the_tree_exists() -> None:
    paths = list(tree())
    assert len(paths) > 20
    assert not [path for path in paths if not list(ROOT.glob(path))]


def test_every_folder_is_in_the_tree() -> None:
    assert not folders() - set(tree())


def test_every_command_is_documented_and_helpful() -> None:
    found = commands()
    assert {"launch", "resume", "report", "doctor"} <= set(found)
    assert section("Commands") == set(found)
    assert not [name for name, text in found.items() if len(text.strip()) < 10]


@pytest.mark.parametrize("title", REGISTRIES)
def test_every_entry_of_a_registry_is_documented(title: str) -> None:
    module, name = REGISTRIES[title]
    registry = getattr(importlib.import_module(module), name)
    assert registry.names()
    assert section(title) == set(registry.names())


@pytest.mark.parametrize("title", REGISTRIES)
def test_every_entry_of_a_registry_has_a_docstring(title: str) -> None:
    module, name = REGISTRIES[title]
    for entry_name, entry in getattr(importlib.import_module(module), name).items():
        text = inspect.getdoc(entry) or ""
        generated = text.startswith(f"{getattr(entry, '__name__', '')}(")  # what @dataclass writes
        assert text and not generated, f"{entry_name}: say in one sentence what it is"


def test_every_decision_is_numbered_without_gaps() -> None:
    numbers = [int(page.name[:4]) for page in sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_link_between_pages_leads_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "studies").glob("*/*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"
