"""Learning from a teacher."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from compress.context import Context
from compress.distill.logits import Logits
from compress.distill.step import Distill, answers_loss, teacher_logits
from compress.recipe import StepError
from compress.train import Batch, batches
from compress.variant import Variant
from spaces.architecture import Architecture, Stage
from spaces.blocks import MBConv
from spaces.network import build
from spaces.tasks import Data
from tests.toy_task import CLASSES, toy_data

ARCH = Architecture((1, 8, 8), CLASSES, 8, 1, (Stage(16, 2, (MBConv(expand=2),)),))


class Wrong(nn.Module):
    """Knows the answers and gives the next one: a student can have this from nobody else."""

    def __init__(self, data: Data) -> None:
        super().__init__()
        self.pictures = torch.stack([data.normalise(data.train.x)[data.train.y == k].mean(0) for k in range(CLASSES)])

    def forward(self, x: Tensor) -> Tensor:
        distances = (x[:, None] - self.pictures).square().mean((2, 3, 4))
        return -4 * distances.roll(1, 1)


def first_batch(data: Data) -> Batch:
    return next(iter(batches(data, 16, 0, 0)))


def context(data: Data, teacher: nn.Module | None, folder: Path) -> Context:
    return Context(data, teacher, folder)


def student() -> Variant:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Variant(ARCH, build(ARCH).eval())


def test_the_loss_is_hintons() -> None:
    data = toy_data()
    batch, temperature = first_batch(data), 3.0
    logits = torch.randn(16, CLASSES)
    soft = (Wrong(data)(batch.x) / temperature).softmax(1)
    log_student = (logits / temperature).log_softmax(1)
    distance = (soft * (soft.log() - log_student)).sum(1).mean()
    expected = 0.7 * 9 * distance + 0.3 * cross_entropy(logits, batch.y)
    torch.testing.assert_close(answers_loss(Logits, Wrong(data), data, temperature, 0.7)(logits, batch), expected)


def test_weight_0_is_the_labels_alone_and_a_student_that_is_the_teacher_loses_nothing() -> None:
    data = toy_data()
    batch, logits = first_batch(data), torch.randn(16, CLASSES)
    torch.testing.assert_close(
        answers_loss(Logits, Wrong(data), data, 2.0, 0.0)(logits, batch), cross_entropy(logits, batch.y)
    )
    same = answers_loss(Logits, Wrong(data), data, 2.0, 1.0)(Wrong(data)(batch.x), batch)
    assert abs(same.item()) < 1e-5


@pytest.mark.parametrize("crop_pixels", [0, 2])
def test_the_teacher_is_asked_about_the_very_images_the_student_sees(crop_pixels: int) -> None:
    data = toy_data(crop_pixels=crop_pixels)
    batch = first_batch(data)
    found = teacher_logits(Wrong(data), data)(batch)
    torch.testing.assert_close(found, Wrong(data)(batch.x))
    assert not found.requires_grad


@pytest.mark.parametrize(("weight", "shift"), [(1.0, 1), (0.0, 0)])
def test_the_student_learns_what_the_weight_says(weight: float, shift: int, tmp_path: Path) -> None:
    data = toy_data()
    before = student()
    state = {name: tensor.clone() for name, tensor in before.network.state_dict().items()}
    after = Distill(epochs=4, batch=32, lr=0.05, weight=weight)(before, context(data, Wrong(data), tmp_path))
    with torch.no_grad():
        answers = after.network(data.normalise(data.validation.x)).argmax(1)
    assert (answers == (data.validation.y + shift) % CLASSES).float().mean() > 0.9
    assert after.arch == before.arch and after.precision == "float32" and not after.network.training
    assert all(torch.equal(state[name], tensor) for name, tensor in before.network.state_dict().items())


def test_without_a_teacher_the_labels_teach(tmp_path: Path) -> None:
    data = toy_data()
    after = Distill(epochs=4, batch=32, lr=0.05)(student(), context(data, None, tmp_path))
    with torch.no_grad():
        answers = after.network(data.normalise(data.validation.x)).argmax(1)
    assert (answers == data.validation.y).float().mean() > 0.9


def test_an_int8_variant_cannot_be_trained(tmp_path: Path) -> None:
    variant = Variant(ARCH, student().network, "int8")
    with pytest.raises(StepError, match="put it before quantize"):
        Distill()(variant, context(toy_data(), None, tmp_path))


@pytest.mark.parametrize(
    "settings", [{"loss": "imitation"}, {"epochs": 0}, {"weight": 1.5}, {"temperature": 0}, {"lr": 0}, {"batch": 0}]
)
def test_settings_that_cannot_be_are_refused(settings: dict) -> None:
    with pytest.raises(ValueError, match=f"`{next(iter(settings))}`"):
        Distill(**settings)
