"""The bundle's C++ runner builds against ONNX Runtime, wherever it lies, and gives the expected answers."""

import importlib.util
import os
import platform
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from search.shipping.bundle import model_header

HEADER = "onnxruntime_cxx_api.h"
ROOT = Path(os.environ.get("ONNXRUNTIME_ROOT", "/usr"))  # an unpacked release, or unpacked packages of a distribution
PLACES = ("include", "include/onnxruntime", "local/include/onnxruntime", "include/onnxruntime/core/session")
HEADERS = next((ROOT / place for place in PLACES if (ROOT / place / HEADER).is_file()), None)

needs_headers = pytest.mark.skipif(
    HEADERS is None or not shutil.which("cmake"),
    reason=f"no cmake, or no {HEADER} under {ROOT}: apt install libonnxruntime-dev, or set ONNXRUNTIME_ROOT",
)


def library() -> Path:
    """The library of the installed wheel: the API is versioned, so older headers than it may be built against."""
    found = importlib.util.find_spec("onnxruntime")
    assert found is not None and found.submodule_search_locations
    (path,) = Path(found.submodule_search_locations[0], "capi").glob("libonnxruntime.so.*")
    return path


def lay_out(root: Path, headers: str, libraries: str) -> Path:
    """The headers and the library in these folders of `root`."""
    assert HEADERS is not None
    (root / headers).parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(HEADERS, root / headers)
    (root / libraries).mkdir(parents=True)
    shutil.copy(library(), root / libraries / "libonnxruntime.so.1")
    (root / libraries / "libonnxruntime.so").symlink_to("libonnxruntime.so.1")
    return root


def unpacked(folder: Path) -> list[str]:
    """A release from GitHub that was unpacked and named."""
    return [f"-DONNXRUNTIME_ROOT={lay_out(folder / 'release', 'include', 'lib')}"]


def installed(folder: Path) -> list[str]:
    """A distribution's packages, which CMake finds by itself."""
    return [f"-DCMAKE_PREFIX_PATH={lay_out(folder / 'usr', 'include/onnxruntime', 'lib/x86_64-linux-gnu')}"]


def downloaded(folder: Path) -> list[str]:
    """A release that CMake downloads, here from a folder; headers and libraries of the system are out of sight."""
    version = onnxruntime.__version__
    machine = "aarch64" if platform.machine() in ("aarch64", "arm64") else "x64"
    release = lay_out(folder / f"onnxruntime-linux-{machine}-{version}", "include", "lib")
    (folder / f"v{version}").mkdir()
    with tarfile.open(folder / f"v{version}" / f"{release.name}.tgz", "w:gz") as archive:
        archive.add(release, release.name)
    shutil.rmtree(release)
    return [f"-DONNXRUNTIME_RELEASES=file://{folder}", "-DCMAKE_IGNORE_PREFIX_PATH=/usr;/usr/local;/"]


def cmake(*arguments: Path | str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["cmake", *map(str, arguments)], capture_output=True, text=True)


@pytest.mark.slow
@needs_headers
@pytest.mark.parametrize("layout", [unpacked, installed, downloaded])
def test_the_cpp_runner_builds_and_gives_the_expected_answers(
    layout: Callable[[Path], list[str]], bundle: Path, tmp_path: Path
) -> None:
    build, where = tmp_path / "build", layout(tmp_path)
    for done in (cmake("-S", bundle / "cpp", "-B", build, *where), cmake("--build", build)):
        assert done.returncode == 0, done.stdout + done.stderr
    assert f"ONNX Runtime: {tmp_path}" in cmake("-S", bundle / "cpp", "-B", build).stdout
    done = subprocess.run([build / "run", bundle], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("8 examples, largest difference") == 2


@pytest.mark.parametrize(("tolerance", "literal"), [(2.0, "2.00000000e+00f"), (1.5e-5, "1.50000000e-05f")])
def test_a_tolerance_is_a_float_literal_also_where_it_is_a_whole_number(tolerance: float, literal: str) -> None:
    card = {"labels": ["a"], "preprocessing": {"shape": [1, 8, 8], "layout": "channels, height, width"}, "shipped": "x"}
    tested = {"x": {"expected": "y", "tolerance": tolerance}}
    text = model_header(card | {"test": {"files": tested, "made_with": "", "input": "z"}})
    assert f'{{"x", "y", {literal}}},' in text


@pytest.mark.slow
@needs_headers
def test_the_cpp_runner_notices_a_wrong_answer_and_a_broken_file(bundle: Path, tmp_path: Path) -> None:
    build, copy = tmp_path / "build", shutil.copytree(bundle, tmp_path / "copy")
    assert cmake("-S", copy / "cpp", "-B", build, *unpacked(tmp_path)).returncode == 0
    assert cmake("--build", build).returncode == 0

    def run(*arguments: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([build / "run", *arguments], capture_output=True, text=True)

    named = run(copy, copy / "test/input.f32")
    (answers,) = (np.fromfile(file, "<f4").reshape(8, 10) for file in bundle.glob("test/*.float32.expected.f32"))
    assert [line.split()[1] for line in named.stdout.splitlines()] == [str(row.argmax()) for row in answers]
    (expected,) = copy.glob("test/*.float32.expected.f32")
    right = np.fromfile(expected, "<f4")
    for wrong in (right + 0.1, right * np.float32("nan")):
        wrong.tofile(expected)
        assert run(copy).returncode == 1
    for file in (expected, copy / "test/input.f32"):
        file.write_bytes(file.read_bytes()[:-1])
        assert run(copy).returncode == 1 and f"error: {file} has" in run(copy).stderr
    assert run(copy, copy / "nowhere.f32").stderr == f"error: cannot read {copy / 'nowhere.f32'}\n"


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("cmake"), reason="no cmake")
def test_cmake_says_what_to_install_where_there_is_no_onnx_runtime(bundle: Path, tmp_path: Path) -> None:
    away = [f"-DONNXRUNTIME_RELEASES=file://{tmp_path}", "-DCMAKE_IGNORE_PREFIX_PATH=/usr;/usr/local;/"]
    done = cmake("-S", bundle / "cpp", "-B", tmp_path / "a", *away)
    assert done.returncode == 1 and "apt install libonnxruntime-dev" in " ".join(done.stderr.split())
    done = cmake("-S", bundle / "cpp", "-B", tmp_path / "b", f"-DONNXRUNTIME_ROOT={tmp_path}")
    assert done.returncode == 1 and f'libonnxruntime in "{tmp_path}"' in " ".join(done.stderr.split())


@pytest.mark.skipif(not shutil.which("g++"), reason="no C++ compiler")
def test_the_cpp_runner_and_its_constants_are_cpp(bundle: Path) -> None:
    declared = Path(__file__).parent / "declared"
    command = ["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I", declared, "cpp/run.cpp"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=bundle)
    assert done.returncode == 0, done.stderr
