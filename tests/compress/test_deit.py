"""Two heads while the student learns, one afterwards."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear

from compress.context import Context
from compress.distill.deit import SecondHead
from compress.distill.seen import Seen, Watched
from compress.distill.step import Distill
from compress.foreign import foreign_of
from compress.recipe import StepError
from compress.variant import Variant
from spaces.architecture import Architecture, Stage
from spaces.blocks import Attention, MBConv
from spaces.network import build
from spaces.tasks import Data
from tests.toy_task import CLASSES, toy_data

DATA = toy_data()
ARCH = Architecture((1, 8, 8), CLASSES, 8, 1, (Stage(16, 2, (MBConv(expand=2),)),))
SERIES = Architecture((2, 12), CLASSES, 8, 1, (Stage(16, 2, (Attention(heads=2),)),))
LARGE = replace(ARCH, stem_width=16, stages=(Stage(48, 2, (MBConv(expand=4),)),))


class Wrong(nn.Module):
    """Knows the answers and gives the next one, so that a lesson of labels and one of the teacher can be told apart."""

    def __init__(self, data: Data) -> None:
        super().__init__()
        self.pictures = torch.stack([data.normalise(data.train.x)[data.train.y == k].mean(0) for k in range(CLASSES)])
        self.maps, self.head = nn.Identity(), nn.Linear(CLASSES, CLASSES, bias=False)
        self.head.load_state_dict({"weight": torch.eye(CLASSES).roll(1, 0)})

    def forward(self, x: Tensor) -> Tensor:
        x = self.maps(x if x.ndim == 4 else x[:, :, None])
        distances = (x[:, None] - self.pictures.reshape(1, CLASSES, *x.shape[1:])).square().mean((2, 3, 4))
        return self.head(-4 * distances)


def own(arch: Architecture) -> Variant:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Variant(arch, build(arch).eval())


def foreign(*last: nn.Module) -> Variant:
    """A user's network, of a convolution, the mean and these layers."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        body = nn.Conv2d(1, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        network = nn.Sequential(*body, *last).eval()
    return Variant(foreign_of(network, "net.py:net", (1, 8, 8), CLASSES), network)


def series_data() -> Data:
    return toy_data(channels=2, size=(12,))


Heads = list[tuple[dict[str, Tensor], dict[str, Tensor]]]


@pytest.fixture
def heads(monkeypatch: pytest.MonkeyPatch) -> Heads:
    """The numbers of both heads of every student, first and second, just before they are merged."""
    found: Heads = []
    merge = SecondHead.finish

    def kept(self: SecondHead, weight: float) -> None:
        first, second = ({k: v.clone() for k, v in head.state_dict().items()} for head in (*self.first, self.second))
        found.append((first, second))
        merge(self, weight)

    monkeypatch.setattr(SecondHead, "finish", kept)
    return found


def taught(start: Variant, data: Data, folder: Path, weight: float = 0.5) -> Variant:
    step = Distill(loss="deit", epochs=10, batch=16, lr=0.1, weight=weight)
    return step(start, Context(data, Wrong(data).eval(), folder))


def answers(variant: Variant, data: Data, heads: Heads) -> tuple[Tensor, Tensor, Tensor]:
    """The student's logits on the validation images, and those of its first and its second head."""
    x = data.normalise(data.validation.x)
    watched = Watched(variant.network, x)
    with torch.no_grad():
        seen = watched.seen(watched(x))
    watched.close()
    assert seen.embedding is not None
    first, second = (linear(seen.embedding, head["weight"], head.get("bias")) for head in heads[-1])
    return seen.logits, first, second


def made_of(network: nn.Module) -> list[object]:
    layers = [(name, type(layer), len(layer._forward_hooks)) for name, layer in network.named_modules()]
    return [*layers, *((name, tensor.shape) for name, tensor in network.state_dict().items())]


@pytest.mark.parametrize(
    ("start", "data"),
    [(own(ARCH), DATA), (own(SERIES), series_data()), (foreign(nn.Linear(16, CLASSES, bias=False)), DATA)],
    ids=["own", "series", "foreign without bias"],
)
def test_the_student_answers_the_mean_of_both_heads_and_is_made_of_what_it_was(
    start: Variant, data: Data, heads: Heads, tmp_path: Path
) -> None:
    after = taught(start, data, tmp_path)
    logits, first, second = answers(after, data, heads)
    assert (first - second).abs().max() > 0.5
    torch.testing.assert_close(logits, (first + second) / 2, rtol=1e-5, atol=1e-5)
    assert made_of(after.network) == made_of(start.network) and after.arch == start.arch


def test_one_head_learns_the_labels_and_the_other_what_the_teacher_says(heads: Heads, tmp_path: Path) -> None:
    after = taught(own(ARCH), DATA, tmp_path)
    _, first, second = answers(after, DATA, heads)
    y = DATA.validation.y
    assert (first.argmax(1) == y).float().mean() > 0.9
    assert (second.argmax(1) == (y + 1) % CLASSES).float().mean() > 0.9


def test_a_head_that_nobody_taught_has_no_say(heads: Heads, tmp_path: Path) -> None:
    after = taught(own(ARCH), DATA, tmp_path, weight=1.0)
    logits, _, second = answers(after, DATA, heads)
    torch.testing.assert_close(logits, second, rtol=1e-5, atol=1e-5)
    assert (logits.argmax(1) == (DATA.validation.y + 1) % CLASSES).float().mean() > 0.9


def test_the_second_head_starts_as_the_first() -> None:
    head = nn.Linear(6, CLASSES)
    embedding, told = torch.randn(8, 6), torch.randn(8, CLASSES)
    student = Seen(head(embedding).detach(), (), embedding, head)
    found = SecondHead(student, Seen(told), 1.0)(student, Seen(told), torch.zeros(8, dtype=torch.long))
    torch.testing.assert_close(found, cross_entropy(head(embedding), told.argmax(1)))


@pytest.mark.parametrize("weight", [None, 0.0])
def test_without_a_teacher_or_with_no_weight_on_it_the_labels_teach_and_nobody_is_asked(
    weight: float | None, heads: Heads, tmp_path: Path
) -> None:
    class Silent(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise AssertionError("asked")

    teacher = None if weight is None else Silent()
    settings = {"epochs": 2, "batch": 32} | ({} if weight is None else {"weight": weight})
    after = Distill(loss="deit", **settings)(own(ARCH), Context(DATA, teacher, tmp_path))  # type: ignore[arg-type]
    alone = Distill(epochs=2, batch=32)(own(ARCH), Context(DATA, None, tmp_path))
    state = alone.network.state_dict()
    assert not heads
    assert all(torch.equal(state[name], tensor) for name, tensor in after.network.state_dict().items())


def test_an_assistant_is_taught_by_two_heads_too(heads: Heads, tmp_path: Path) -> None:
    teacher = own(LARGE)
    context = Context(DATA, teacher.network, tmp_path, teacher_arch=teacher.arch)
    start = own(ARCH)
    after = Distill(loss="deit", epochs=4, batch=32, assistant="auto")(start, context)
    assert after.assistant is not None and len(heads) == 2
    assert made_of(after.network) == made_of(start.network)
    assert made_of(after.assistant.chosen.network) == made_of(build(after.assistant.chosen.arch))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("last", "message"),
    [
        ([nn.Linear(16, CLASSES), nn.Softmax(1)], "one linear layer's; what the last .* changed by .* `loss: ofa`"),
        ([nn.utils.parametrizations.weight_norm(nn.Linear(16, CLASSES))], "computed from others.* `loss: ofa`"),
        (
            [nn.Unflatten(1, (16, 1, 1)), nn.Conv2d(16, CLASSES, 1), nn.Flatten()],
            "no last linear layer.*`loss: logits`",
        ),
    ],
    ids=["softmax", "weight norm", "convolution"],
)
def test_a_student_whose_answer_is_no_linear_layers_is_refused(
    last: list[nn.Module], message: str, tmp_path: Path
) -> None:
    start = foreign(*last)
    with pytest.raises(StepError, match=message):
        taught(start, DATA, tmp_path)
    assert not any(layer._forward_hooks for layer in start.network.modules())


def test_a_teacher_of_other_classes_is_refused(tmp_path: Path) -> None:
    teacher = own(replace(ARCH, classes=CLASSES + 3)).network
    with pytest.raises(StepError, match=f"teacher tells {CLASSES + 3} classes apart and the student {CLASSES}"):
        Distill(loss="deit", epochs=1)(own(ARCH), Context(DATA, teacher, tmp_path))
