"""An assistant between teacher and student: its size, who is chosen, and whose epochs it takes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from compress.context import Context
from compress.distill import assistant as assistants
from compress.distill.assistant import Candidate, between, derivative, find_assistant
from compress.distill.step import Distill
from compress.evaluate import Quality
from compress.foreign import counts_of, foreign_of
from compress.recipe import StepError
from compress.train import Training, fit, hard_labels
from compress.variant import Variant
from spaces.architecture import Architecture, Stage
from spaces.blocks import MBConv
from spaces.network import build
from spaces.tasks import Split
from tests.toy_task import CLASSES, toy_data

DATA = toy_data()
FEW = replace(DATA, train=Split(DATA.train.x[:128], DATA.train.y[:128]))
STAGES = Stage(32, 1, (MBConv(expand=4),)), Stage(48, 2, (MBConv(expand=4),))
LARGE = Architecture((1, 8, 8), CLASSES, 16, 1, STAGES)
SMALL = replace(LARGE, stem_width=8, stages=(Stage(8, 2, (MBConv(expand=2),)),))


def built(arch: Architecture, epochs: int = 0) -> Variant:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build(arch).eval()
    if epochs:
        fit(network, FEW, Training(epochs, batch=32), hard_labels(), 0)
    return Variant(arch, network)


@pytest.fixture(scope="module")
def teacher() -> Variant:
    return built(LARGE, 3)


def context(teacher: Variant, folder: Path) -> Context:
    return Context(FEW, teacher.network, folder, teacher_arch=teacher.arch)


def test_candidates_lie_between_the_two_and_fill_the_gap(teacher: Variant, tmp_path: Path) -> None:
    sizes = [counts_of(arch).params for arch, _ in between(SMALL, context(teacher, tmp_path), 3)]
    largest, smallest = counts_of(LARGE).params, counts_of(SMALL).params
    steps = [a / b for a, b in zip([largest, *sizes], [*sizes, smallest], strict=True)]
    assert len(sizes) == 3 and largest > sizes[0] > sizes[1] > sizes[2] > smallest
    assert 1.5 < min(steps) < max(steps) < 5  # of 38 in all; widths come in eights
    ((middle, _),) = between(SMALL, context(teacher, tmp_path), 1)
    assert sizes[0] > counts_of(middle).params > sizes[2]


def test_the_one_that_loses_least_for_a_parameter_is_chosen() -> None:
    def candidate(blocks: int, accuracy: float) -> Candidate:
        correct = np.arange(100) < 100 * accuracy
        arch = replace(LARGE, stages=(Stage(32, 1, (MBConv(expand=blocks),)),))
        return Candidate(arch, nn.Identity(), Quality(np.zeros(100), correct, np.where(correct, 0, 1)))

    large, small = candidate(4, 0.94), candidate(2, 0.93)
    params = counts_of(LARGE).params
    assert derivative(large, (params, 0.95)) == pytest.approx(-0.01 / (params - large.params))
    assert derivative(small, (params, 0.95)) == pytest.approx(-0.02 / (params - small.params))


def test_its_epochs_are_part_of_the_students(teacher: Variant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[tuple[nn.Module | None, int]] = []
    real = Distill._teach

    def noted(self: Distill, network: nn.Module, by: Context, epochs: int) -> None:
        trained.append((by.teacher, epochs))
        real(self, network, by, epochs)

    monkeypatch.setattr(Distill, "_teach", noted)
    student = built(SMALL)
    after = Distill(epochs=14, batch=32, assistant="auto")(student, context(teacher, tmp_path))
    found = after.assistant
    assert found is not None and found.epochs == 3 and len(found.tried) == 3
    by_teacher, by_assistant = trained[:-1], trained[-1]
    assert by_teacher == [(teacher.network, 1)] * 3 and by_assistant == (found.chosen.network, 11)
    ranked = [
        ((accuracy - found.teacher[1]) / (found.teacher[0] - params), -params) for params, accuracy in found.tried
    ]
    assert -max(ranked)[1] == found.chosen.params  # of equals the smallest
    assert f"{found.chosen.params:,} parameters" in found.describe()
    assert student.assistant is None and after.arch == SMALL


def test_a_teacher_of_the_users_has_one_too(tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        wide, narrow = (plain(width) for width in (32, 4))
    given = Variant(foreign_of(wide, "mine.py:wide", (1, 8, 8), CLASSES), wide)
    student = Variant(foreign_of(narrow, "mine.py:narrow", (1, 8, 8), CLASSES), narrow)
    after = Distill(epochs=4, batch=32, assistant="auto")(student, context(given, tmp_path))
    assert after.assistant is not None and len(after.assistant.tried) == after.assistant.epochs == 1
    assert student.counts.params < after.assistant.chosen.params < given.counts.params


def plain(width: int) -> nn.Module:
    layers = nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, 2, 1), nn.ReLU()
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, CLASSES)).eval()


def test_where_there_is_no_room_for_one_the_step_says_so(teacher: Variant, tmp_path: Path) -> None:
    with pytest.raises(StepError, match=r"no assistant between the teacher .* it is not the larger one\. Leave"):
        find_assistant(LARGE, context(teacher, tmp_path), 12, lambda *_: None)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(64, 400), nn.Linear(400, CLASSES)).eval()
    other = Variant(foreign_of(linear, "mine.py:linear", (1, 8, 8), CLASSES), linear)
    with pytest.raises(StepError, match=r"no convolution; .*Leave `assistant` away"):
        find_assistant(SMALL, context(other, tmp_path), 12, lambda *_: None)
    with pytest.raises(StepError, match="description"):
        find_assistant(SMALL, Context(DATA, teacher.network, tmp_path), 12, lambda *_: None)


def test_without_a_teacher_there_is_none_and_the_student_has_all_epochs(tmp_path: Path) -> None:
    student = built(SMALL)
    ways = [Distill(epochs=4, batch=32, assistant=name) for name in ("none", "auto")]  # type: ignore[arg-type]
    one, other = (way(student, Context(FEW, None, tmp_path)).network.state_dict() for way in ways)
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_epochs_that_cannot_be_shared_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 4 with `assistant: auto`"):
        Distill(epochs=3, assistant="auto")
    with pytest.raises(ValueError, match="must be none or auto"):
        Distill(assistant="ten")  # type: ignore[arg-type]
    assert Distill(epochs=4, assistant="auto").least_epochs == assistants.SHARE
