"""Several sessions as one measurement: pooled, repeated when the machine was not itself, compared by session."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from compress.devices.answers import measurements_of
from compress.devices.faster import compare, round_minima
from compress.devices.sessions import measure_sessions
from compress.devices.simulated import Simulated
from compress.measurement import Measurement


@dataclass
class Told:
    """A device whose sessions are told: how the last file's latency is to the reference's, and the machine's drift."""

    sessions: list[tuple[float, float]]
    asked: int = field(default=0)

    def fingerprint(self) -> dict[str, str]:
        return {"told": "yes"}

    def measure(self, files: Sequence[Path], reference: Path, name: str) -> list[Measurement]:
        scale, moved = self.sessions[self.asked]
        pace = np.linspace(1, 1 + 1.5 * moved, 30)[:, None]
        seconds = 1e-3 * pace * np.random.default_rng(self.asked).normal(1, 0.002, (1 + len(files), 30, 5))
        seconds[-1] *= scale
        self.asked += 1
        common = {"batch": 1, "notes": [], "engine": "onnxruntime"}
        timed = [{"seconds": s.tolist(), "busy_seconds": s.tolist(), **common} for s in seconds]
        answer = {"files": timed, "switches": 2, "stolen_s": 0.5, "load": 1.0}
        return measurements_of(answer, files, reference, 1, name, "f")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.onnx"
    path.write_bytes(b"x")
    return path


def test_the_interval_covers_sessions_that_differ(file: Path) -> None:
    (found,) = measure_sessions(Told([(1.00, 0), (1.02, 0), (0.98, 0)]), [file], file, "here", 3)
    assert found.details["sessions"] == 3
    assert found.value == pytest.approx(1.0, rel=0.01)
    assert found.low < 0.98 and found.high > 1.02
    assert round_minima(found).shape == (3, 30)
    assert (found.repeats, found.details["switches"], found.details["stolen_s"]) == (450, 6, 1.5)


def test_a_session_in_which_the_machine_changed_is_done_again_but_not_for_ever(file: Path) -> None:
    done: list[int] = []
    device = Told([(1.0, 0), (1.0, 0.3), (1.0, 0), (1.0, 0)])
    (found,) = measure_sessions(device, [file], file, "here", 3, repeats=2, after_each=done.append)
    assert (device.asked, done) == (4, [1, 2, 3])
    assert abs(float(found.details["drift"])) < 0.03
    changing = Told([(1.0, 0.3)] * 9)
    (found,) = measure_sessions(changing, [file], file, "here", 3, repeats=2)
    assert changing.asked == 5
    assert float(found.details["drift"]) > 0.1


def test_faster_is_said_over_sessions_only_if_they_agree(file: Path) -> None:
    slow, fast = measure_sessions(Told([(0.95, 0), (0.951, 0), (0.949, 0)]), [file, file], file, "here", 3)
    assert compare(fast, slow).verdict == "faster"
    slow, unsure = measure_sessions(Told([(0.90, 0), (0.95, 0), (1.03, 0)]), [file, file], file, "here", 3)
    assert compare(unsure, slow).verdict == "no difference shown"


def test_a_formula_is_asked_once(onnx_files: dict[str, Path]) -> None:
    (found,) = measure_sessions(Simulated(), [onnx_files["plain"]], onnx_files["plain"], "f", 7)
    assert found.kind == "simulated" and "sessions" not in found.details
