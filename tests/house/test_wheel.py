"""What is installed elsewhere is whole and works without the checkout."""

import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = {"kernels", "spaces", "compress", "search", "dashboard"}
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: setuptools leaves build/ and an egg-info folder where it works."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for room in [*sorted(ROOMS), "tests", "studies"]:
        shutil.copytree(ROOT / room, source / room, ignore=shutil.ignore_patterns("__pycache__", "runs"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    run(*PIP, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", out, source, cwd=out)
    (built,) = out.glob("lathe-*.whl")
    return built


@pytest.fixture(scope="module")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the wheel, and sees the dependencies installed here but not the checkout."""
    folder = tmp_path_factory.mktemp("elsewhere")
    venv.create(folder, symlinks=True, with_pip=False)
    run(*PIP, "--python", folder / "bin/python", "install", "--no-deps", "--no-index", wheel, cwd=folder)
    (site,) = folder.glob("lib/python*/site-packages")
    # A folder named in a .pth file is searched, its own .pth files are not read: no editable install of ours.
    (site / "dependencies.pth").write_text(f"{metadata.distribution('typer').locate_file('')}\n")
    return folder


def test_the_wheel_holds_the_rooms_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == ROOMS
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_every_file_of_the_rooms_is_in_the_wheel(wheel: Path) -> None:
    """Templates, migrations and the like are lost unless pyproject.toml names them as package data."""
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    on_disk = {
        str(file.relative_to(ROOT))
        for room in ROOMS
        for file in (ROOT / room).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".pyc"
    }
    assert not on_disk - packed


def test_the_installed_command_says_its_version_elsewhere(elsewhere: Path, tmp_path: Path) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert version in run(elsewhere / "bin/search", "--version", cwd=tmp_path)


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_the_installed_room_is_not_the_checkout(elsewhere: Path, tmp_path: Path, room: str) -> None:
    found = run(elsewhere / "bin/python", "-c", f"import {room}; print({room}.__file__)", cwd=tmp_path)
    assert Path(found.strip()).is_relative_to(elsewhere)
