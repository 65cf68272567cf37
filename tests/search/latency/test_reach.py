"""A device that is unplugged while a study runs: its measurements wait, the study goes on, and so do they."""

import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from compress.devices import DeviceOffline
from search.config.study import read_config
from search.errors import Interrupted, SchemaError
from search.latency import reach
from search.main_loop import launch
from search.state.ledger import Ledger
from search.watch import Watch
from tests.compress.loopback import running_sshd
from tests.search.finished_study import TINY


class Heard(Watch):
    """A watch that remembers what was said."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def study_with(watch: Watch) -> Any:
    events: list[tuple[str, ...]] = []
    return SimpleNamespace(
        away={}, watch=watch, events=events, event=lambda kind, message, *more: events.append((kind, message))
    )


def test_work_waits_for_the_device_says_so_once_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "RETRY_S", 0.01)
    answers = iter([DeviceOffline("it is gone."), DeviceOffline("it is gone."), 7])

    def work() -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    watch = Heard()
    study = study_with(watch)
    assert reach.when_reachable(study, "pi", work) == 7
    assert [line.split(":")[0] for line in watch.lines] == ["Device pi", "Device pi"]
    assert "wait until it is back" in watch.lines[0] and "is back" in watch.lines[1]
    assert [kind for kind, _ in study.events] == ["offline", "online"]
    assert study.away == {}


def test_waiting_for_a_device_can_be_interrupted() -> None:
    watch = Heard()
    watch._stop = True  # as Ctrl-C sets it

    def work() -> None:
        raise DeviceOffline("it is gone.")

    with pytest.raises(Interrupted):
        reach.when_reachable(study_with(watch), "pi", work)


def once_made(file: Path) -> Ledger:
    """The database of a study that begins in another thread: its first row makes it."""
    while True:
        try:
            return Ledger.open(str(file), create=False)
        except SchemaError:
            time.sleep(0.05)


@pytest.mark.slow
def test_killing_the_sshd_pauses_measurements_and_not_the_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach, "RETRY_S", 1.0)
    watch = Heard()
    with running_sshd(tmp_path) as server, Ledger.open(str(tmp_path / "lathe.db")) as ledger:
        device = server.device
        fields = ", ".join(
            f"{name}: {getattr(device, name)}" for name in ("host", "user", "port", "identity", "known_hosts", "python")
        )
        text = TINY.read_text()
        text = text.replace("{kind: simulated}", f"{{kind: ssh, {fields}, rounds: 5, calls: 2}}")
        text = text.replace("trials: 12, calibration: 8, exports: 14", "trials: 24, calibration: 6, exports: 14")
        space = tmp_path / "space.yaml"
        space.write_text(text)
        tried_without: list[int] = []

        def unplug() -> None:
            """After a few trials stop the server, let the study go on for a while, and start it again."""
            with once_made(tmp_path / "lathe.db") as other:
                while not other.studies() or len(other.trials(1)) < 12:
                    time.sleep(0.05)
                server.stop()
                before = len(other.trials(1))
                while not watch.lines:
                    time.sleep(0.05)
                time.sleep(3)
                tried_without.append(len(other.trials(1)) - before)
                server.start()

        puller = threading.Thread(target=unplug, daemon=True)
        puller.start()
        launch(read_config(space), ledger, watch)
        puller.join(60)
        assert ledger.study("tiny").state == "done"
    assert any("cannot be reached" in line for line in watch.lines)
    assert any("is back" in line for line in watch.lines)
    assert tried_without and tried_without[0] > 0  # with predictions
