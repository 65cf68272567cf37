"""Progress that a person and a log can read, and a safe place to stop."""

import os
import signal
import time

import pytest

from compress.export.quiet import quiet
from search import watch as module
from search.errors import Interrupted
from search.watch import Watch, duration


def test_a_pipe_gets_plain_lines_with_the_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PLAIN_EVERY_S", 0.02)
    watch = Watch()
    with watch.stage("search", 4):
        for done in range(1, 4):
            time.sleep(0.03)
            watch.advance(done, f"{done} trials")
    out, err = capsys.readouterr()
    assert out == ""
    assert "\x1b" not in err and "\r" not in err
    lines = err.splitlines()
    assert lines[0].startswith("Search: 25%, ") and lines[0].endswith(" s left  1 trials")
    assert lines[-1].startswith("Search: done in ")


def test_a_pipe_is_not_flooded(capsys: pytest.CaptureFixture[str]) -> None:
    watch = Watch()
    with watch.stage("search", 1000):
        for done in range(1000):
            watch.advance(done)
    assert capsys.readouterr().err.splitlines() == ["Search: done in 0 s"]


def test_the_time_left_is_what_the_rest_takes_at_the_pace_so_far(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    watch = Watch()
    with watch.stage("supernet"):
        clock[0] += 40
        watch.advance(0.25, "loss 1.2")
    assert capsys.readouterr().err.splitlines()[0] == "Supernet: 25%, 2 min left  loss 1.2"


def test_what_is_said_while_an_exporter_is_silenced_is_heard(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C during an export must be answered: it takes seconds until the next safe point."""
    watch = Watch()
    with watch.interruptible(), quiet():
        os.kill(os.getpid(), signal.SIGINT)
    assert capsys.readouterr().err == "Pausing at the next safe point. Press Ctrl-C again to stop at once.\n"


def test_quiet_says_nothing_but_still_notes_rows(capsys: pytest.CaptureFixture[str]) -> None:
    noted: list[tuple[str, float, float]] = []
    watch = Watch(lambda stage, done, total: noted.append((stage, done, total)), quiet=True)
    with watch.stage("front", 3):
        watch.advance(1)
        watch.say("hello")
    assert noted == [("front", 0.0, 3), ("front", 3, 3)]  # between them at most one a second
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_at_the_next_safe_point(number: signal.Signals, capsys: pytest.CaptureFixture[str]) -> None:
    watch, before = Watch(), signal.getsignal(number)
    with watch.interruptible():
        watch.check()
        os.kill(os.getpid(), number)
        with pytest.raises(Interrupted) as raised:
            watch.check()
    assert raised.value.exit_code == 128 + number
    assert signal.getsignal(number) is before
    assert "Pausing at the next safe point" in capsys.readouterr().err


def test_a_second_ctrl_c_stops_at_once() -> None:
    watch = Watch(quiet=True)
    with pytest.raises(KeyboardInterrupt), watch.interruptible():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)
        raise AssertionError("went on")


def test_times_are_told_as_people_tell_them() -> None:
    told = {88: "88 s", 120: "2 min", 149.4: "2 min 29 s", 3599.6: "1 h", 12_000: "3 h 20 min"}
    assert {seconds: duration(seconds) for seconds in told} == told
