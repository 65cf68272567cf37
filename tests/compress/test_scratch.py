"""Folders for files that nobody keeps, and what a kill leaves of them."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from compress.scratch import PREFIX, discard, make_scratch, scratch_folder, sweep_abandoned

MAKER = """
import sys, tempfile
tempfile.tempdir = sys.argv[1]
from compress.scratch import make_scratch
folder = make_scratch()
(folder / "network.onnx").write_text("much")
print(folder, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for temporary files where no other process makes any."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_goes_with_its_block_whatever_ends_it(temporary: Path) -> None:
    with pytest.raises(KeyboardInterrupt), scratch_folder() as folder:
        (folder / "network.onnx").write_text("much")
        raise KeyboardInterrupt
    assert list(temporary.iterdir()) == []


def test_only_a_folder_whose_maker_is_dead_is_swept(temporary: Path) -> None:
    pipe = subprocess.PIPE
    maker = subprocess.Popen([sys.executable, "-c", MAKER, str(temporary)], stdin=pipe, stdout=pipe, text=True)
    assert maker.stdout is not None
    made, mine = Path(maker.stdout.readline().strip()), make_scratch()
    assert sweep_abandoned() == [] and made.is_dir(), "its maker lives"
    maker.send_signal(signal.SIGKILL)
    maker.communicate()
    assert sweep_abandoned(dry_run=True) == [made] and made.is_dir()
    assert sweep_abandoned() == [made]
    assert list(temporary.iterdir()) == [mine]
    discard(mine)
    assert list(temporary.iterdir()) == []


def test_what_is_no_folder_of_ours_is_never_swept(temporary: Path) -> None:
    (temporary / "keep").mkdir()
    (temporary / f"{PREFIX}link").symlink_to(temporary / "keep")
    (temporary / f"{PREFIX}file").write_text("mine")
    (temporary / "lathe-notes").mkdir()
    assert sweep_abandoned() == []
    assert len(list(temporary.iterdir())) == 4
