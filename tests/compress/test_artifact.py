"""The store shows a whole right file or none."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from compress.artifact import DamagedArtifact, Store

WRITER = """
import os, sys
from pathlib import Path
from compress.artifact import Store
store = Store(Path(sys.argv[1]))
print("ready", flush=True)
while True:
    store.put(os.urandom(300_000))
"""


def test_the_same_bytes_are_stored_once_whether_given_as_bytes_or_as_a_file(tmp_path: Path) -> None:
    store, source = Store(tmp_path / "store"), tmp_path / "model.onnx"
    source.write_bytes(b"weights" * 1000)
    first, second = store.put(source), store.put(b"weights" * 1000)
    assert first == second
    assert (first.sha256, first.size_bytes) == (hashlib.sha256(b"weights" * 1000).hexdigest(), 7000)
    assert list(store.names()) == [first.sha256]
    assert store.path(first.sha256).read_bytes() == source.read_bytes()


def test_a_flipped_byte_is_noticed_on_opening_and_mended_by_putting_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    artifact = store.put(b"right bytes")
    artifact.path.write_bytes(b"wrong bytes")
    with pytest.raises(DamagedArtifact, match=artifact.sha256[:12]):
        store.open(artifact.sha256)
    store.put(b"right bytes")
    with store.open(artifact.sha256) as stream:
        assert stream.read() == b"right bytes"


def test_an_unknown_name_and_no_name_at_all_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Store(tmp_path).path("0" * 64)
    with pytest.raises(ValueError, match="64 lower-case hex digits"):
        Store(tmp_path).path("../../etc/passwd")


def test_a_failed_put_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Store(tmp_path).put(tmp_path / "missing.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_no_visible_file(tmp_path: Path) -> None:
    """RLIMIT_FSIZE makes the kernel refuse the write half way, as a full disk does."""
    script = (
        "import resource, signal, sys; from pathlib import Path; from compress.artifact import Store\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "Store(Path(sys.argv[1])).put(bytes(200_000))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True)
    assert "File too large" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_killed_write_leaves_no_visible_wrong_file(tmp_path: Path) -> None:
    store, kills = Store(tmp_path), 8
    for attempt in range(kills):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
        assert writer.stdout is not None and writer.stdout.readline() == b"ready\n"
        before, until = len(list(store.names())), time.monotonic() + 60
        while len(list(store.names())) == before and time.monotonic() < until:
            time.sleep(0.001)  # on a busy machine the first write takes its time
        time.sleep(0.007 * attempt)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
    names = list(store.names())
    assert len(names) >= kills, "the writers were killed before they stored anything: the test showed nothing"
    for name in names:
        store.open(name).close()


def test_the_sweep_takes_old_leftovers_and_spares_a_writer_at_work(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept = store.put(b"kept")
    old, fresh = tmp_path / "1-a.partial", tmp_path / "2-b.partial"
    old.write_bytes(b"x")
    fresh.write_bytes(b"y")
    long_ago = time.time() - 4000
    os.utime(old, (long_ago, long_ago))
    assert store.sweep() == [old]
    assert fresh.exists() and kept.path.exists()
