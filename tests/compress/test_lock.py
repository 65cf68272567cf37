"""Measuring is alone on its resource, trainers make way for it, and the dead hold nothing."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from compress.devices import lock
from compress.devices.lock import exclusive, shared

HOLD = """
import sys, time
from compress.devices.lock import {kind}
with {kind}("cpu") as step:
    print("in", flush=True)
    time.sleep(60)
"""
TRAIN = """
import sys, time
from compress.devices.lock import shared
with shared("cpu") as let_measurers_in:
    print("in", flush=True)
    while True:
        time.sleep(0.002)
        let_measurers_in()
"""
MEASURE = """
import sys, time
from compress.devices.lock import exclusive
log = sys.argv[1]
for _ in range(20):
    with exclusive("cpu"):
        with open(log, "a") as file:
            file.write("+")
            file.flush()
            time.sleep(0.002)
            file.write("-")
"""
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LATHE_LOCK_DIR", str(tmp_path / "locks"))
    return tmp_path / "locks"


@pytest.fixture
def start():
    """Starts a program that prints a line once it is in; all are gone at the end."""
    running: list[subprocess.Popen[str]] = []

    def begin(program: str, *arguments: str, wait: bool = True) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        running.append(process)
        assert process.stdout is not None
        if wait:
            assert process.stdout.readline() == "in\n"
        return process

    yield begin
    for process in running:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def enters(kind, seconds: float) -> bool:
    """Whether another thread gets into `kind` within `seconds`; it leaves at once."""
    done = threading.Event()

    def go() -> None:
        with kind("cpu"):
            done.set()

    threading.Thread(target=go, daemon=True).start()
    return done.wait(seconds)


@pytest.mark.parametrize("kind", ["exclusive", "shared"])
def test_a_measurer_waits_for_whoever_is_in_and_a_killed_holder_lets_go(kind: str, start) -> None:
    holder = start(HOLD.format(kind=kind))
    done = threading.Event()

    def measure() -> None:
        with exclusive("cpu"):
            done.set()

    thread = threading.Thread(target=measure)
    thread.start()
    assert not done.wait(0.3)
    holder.send_signal(signal.SIGKILL)
    assert done.wait(20)
    thread.join()


def test_trainers_share_and_other_resources_are_free(start) -> None:
    start(HOLD.format(kind="shared"))
    with shared("cpu"), exclusive("gpu0"):
        pass


def test_two_measurers_are_never_in_together(start, tmp_path: Path) -> None:
    log = tmp_path / "log"
    processes = [start(MEASURE, str(log), wait=False) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert log.read_text() == "+-" * 60


def test_trainers_that_never_stop_cannot_keep_a_measurer_out(start) -> None:
    for _ in range(2):
        start(TRAIN)
    for _ in range(5):
        began = time.monotonic()
        with exclusive("cpu"):
            pass
        assert time.monotonic() - began < 20  # they would go on for ever


def test_a_newcomer_queues_behind_a_waiting_measurer(start) -> None:
    order: list[str] = []
    with shared("cpu") as let_measurers_in:
        measurer = threading.Thread(target=lambda: _note(exclusive, "measurer", order))
        measurer.start()
        _wait_until_gate_is_taken(let_measurers_in, order)
        trainer = threading.Thread(target=lambda: _note(shared, "trainer", order))
        trainer.start()
        time.sleep(0.1)
        assert "trainer" not in order or "measurer" in order
    measurer.join(20)
    trainer.join(20)
    assert order[0] == "measurer" and set(order) == {"measurer", "trainer"}


def _note(kind, name: str, order: list[str]) -> None:
    with kind("cpu"):
        order.append(name)


def _wait_until_gate_is_taken(let_measurers_in, order: list[str]) -> None:
    time.sleep(0.1)  # the measurer takes the gate at once; it cannot get inside while we are
    assert order == []


def test_waiting_for_oneself_is_an_error_and_not_a_hang() -> None:
    with shared("cpu"), pytest.raises(RuntimeError, match="leave that block first"), exclusive("cpu"):
        pass
    with exclusive("cpu"):
        pass
    assert enters(exclusive, 20)


def test_a_forked_child_does_not_keep_its_parents_lock() -> None:
    with exclusive("cpu"):
        child = os.fork()
        if child == 0:
            time.sleep(30)
            os._exit(0)
    try:
        assert enters(exclusive, 20)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_an_error_inside_frees_the_resource(own_folder: Path) -> None:
    with pytest.raises(KeyError), exclusive("cpu"):
        raise KeyError
    assert enters(shared, 20)
    assert sorted(p.name for p in own_folder.iterdir()) == ["lathe-cpu.gate.lock", "lathe-cpu.inside.lock"]


TIMED = """
import sys
from pathlib import Path
from compress.runner import answering
from compress.devices.onnxruntime import OnnxRuntime
file, log = Path(sys.argv[1]), sys.argv[2]
inner = answering.sample

def sample(*arguments):
    with open(log, "a") as out:
        out.write("+")
    found = inner(*arguments)
    with open(log, "a") as out:
        out.write("-")
    return found

answering.sample = sample
for _ in range(6):
    OnnxRuntime(rounds=5, calls=2).measure([file], file, "here")
"""


def test_two_processes_never_time_files_at_the_same_time(onnx_files: dict[str, Path], tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", TIMED, str(onnx_files["plain"]), str(log)]
    running = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
    assert [process.wait(120) for process in running] == [0, 0]
    assert log.read_text() == "+-" * 12


def test_a_measurer_that_waits_long_says_so_once(
    start: Callable[..., subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lock, "PATIENCE_S", 0.05)
    lock._say_once.cache_clear()
    for _ in range(2):
        holder = start(HOLD.format(kind="exclusive"))
        threading.Timer(0.4, holder.kill).start()
        with exclusive():
            pass
    assert [record.message[:8] for record in caplog.records] == ["waiting:"]
    with exclusive():  # nobody is there: nothing to say
        time.sleep(0.1)
    assert len(caplog.records) == 1
