"""Each distillation loss is the formula of its source, checked against plain loops or a worked case."""

import math

import pytest
import torch
from torch import Tensor, nn

from compress.context import Context
from compress.distill.attention import looked
from compress.distill.cskd import CumulativeSpatial
from compress.distill.dkd import BETA, Decoupled
from compress.distill.nd import NormAndDirection
from compress.distill.ofa import GAMMA, enhanced
from compress.distill.relations import angles, distances
from compress.distill.seen import Seen, Watched, matched
from compress.distill.step import Distill
from compress.distill.topk import TopK
from compress.recipe import StepError
from compress.variant import Variant
from spaces.architecture import Architecture, Stage
from spaces.blocks import MBConv
from spaces.network import build
from tests.toy_task import CLASSES, toy_data

ARCH = Architecture((1, 8, 8), CLASSES, 8, 1, (Stage(16, 2, (MBConv(expand=2),)),))


def drawn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_decoupled_is_the_divergence_of_right_or_not_and_of_the_rest() -> None:
    ours, theirs, y, temperature = drawn(6, 5, seed=0), drawn(6, 5, seed=1), torch.arange(6) % 5, 3.0
    total = 0.0
    for i in range(6):
        p, q = ((x[i].double() / temperature).softmax(0) for x in (theirs, ours))
        k = int(y[i])
        others = [c for c in range(5) if c != k]
        total += float(p[k] * (p[k] / q[k]).log() + (1 - p[k]) * ((1 - p[k]) / (1 - q[k])).log())
        rest_p, rest_q = p[others] / (1 - p[k]), q[others] / (1 - q[k])
        total += BETA * float((rest_p * (rest_p / rest_q).log()).sum())
    found = Decoupled(Seen(ours), Seen(theirs), temperature)(Seen(ours), Seen(theirs), y)
    assert math.isclose(float(found), temperature**2 * total / 6, rel_tol=1e-4)


def test_one_for_all_weighs_the_right_class_by_how_sure_the_teacher_is() -> None:
    ours, theirs, y, temperature = drawn(6, 5, seed=4), drawn(6, 5, seed=5), torch.arange(6) % 5, 2.0
    total = 0.0
    for i in range(6):
        p, q = ((x[i].double() / temperature).softmax(0) for x in (theirs, ours))
        weights = [(1 + p[c]) ** GAMMA - 1 if c == int(y[i]) else p[c] ** GAMMA for c in range(5)]
        least = sum(w * (w / sum(weights)).log() for w in weights)
        total += float(least - sum(w * q[c].log() for c, w in enumerate(weights)))
    assert math.isclose(float(enhanced(ours, theirs, y, temperature)), temperature**2 * total / 6, rel_tol=1e-4)


def test_a_spatial_lesson_names_the_class_of_each_half_of_the_image() -> None:
    """A teacher with two channels and classes that are these channels: left it sees the first, right the second."""
    head = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        head.weight.copy_(torch.eye(2))
    maps = torch.zeros(1, 2, 2, 2)
    maps[0, 0, :, 0] = maps[0, 1, :, 1] = 4.0
    teacher, y = Seen(torch.tensor([[0.0, 1.0]]), (maps,), maps.mean((2, 3)), head), torch.tensor([0])
    compare = CumulativeSpatial(teacher, teacher, 1.0)
    with torch.no_grad():
        compare.answer.weight.copy_(torch.eye(2)[..., None, None] * 100)
        compare.answer.bias.zero_()  # type: ignore[union-attr]
    agrees = teacher._replace(logits=torch.tensor([[-100.0, 100.0]]))
    assert compare(agrees, teacher, y).item() < 1e-6
    turned = agrees._replace(maps=(maps.flip(3),))
    assert compare(turned, teacher, y).item() > 100
    with pytest.raises(ValueError, match="last linear layer reads the mean"):
        CumulativeSpatial(teacher, teacher._replace(head=nn.Linear(3, 2)), 1.0)


def test_top_k_sees_the_likeliest_classes_and_the_rest_as_one() -> None:
    ours, theirs = drawn(4, 10, seed=2), drawn(4, 10, seed=3)
    compare, y = TopK(Seen(ours), Seen(theirs), 1.0), torch.zeros(4, dtype=torch.long)
    total = 0.0
    for i in range(4):
        p, q = theirs[i].softmax(0), ours[i].softmax(0)
        top = p.argsort(descending=True)[:5]
        total += float((p[top] * (p[top] / q[top]).log()).sum())
        total += float((1 - p[top].sum()) * ((1 - p[top].sum()) / (1 - q[top].sum())).log())
    assert math.isclose(float(compare(Seen(ours), Seen(theirs), y)), total / 4, rel_tol=1e-4)
    shuffled = ours.clone()
    for i in range(4):
        rest = theirs[i].argsort(descending=True)[5:]
        shuffled[i, rest] = ours[i, rest.roll(1)]  # whatever the student does among the rest costs nothing
    torch.testing.assert_close(compare(Seen(shuffled), Seen(theirs), y), compare(Seen(ours), Seen(theirs), y))


def test_attention_is_where_a_map_is_large_whatever_its_scale_and_channels() -> None:
    maps = torch.zeros(1, 3, 2, 2)
    maps[0, :, 1, 0] = 5.0
    assert looked(maps).tolist() == [[0, 0, 1, 0]]
    some = drawn(2, 4, 3, 3, seed=4)
    torch.testing.assert_close(looked(some), looked(7 * some))
    torch.testing.assert_close(looked(some), looked(some.flip(1)))


def test_relations_do_not_change_with_scale_rotation_or_place() -> None:
    x = drawn(5, 3, seed=5).double()
    turned = 3.0 * x @ torch.linalg.qr(drawn(3, 3, seed=6).double()).Q + 1.0
    torch.testing.assert_close(distances(turned), distances(x))
    torch.testing.assert_close(angles(turned), angles(x))
    square = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert abs(float(angles(square)[0, 1, 2])) < 1e-6  # a right angle at the first corner
    torch.testing.assert_close(distances(square) * (2 + math.sqrt(2)) / 3, torch.tensor([1.0, 1.0, math.sqrt(2)]))


def test_norm_and_direction_ask_for_the_class_and_at_least_the_teachers_length() -> None:
    y, logits = torch.tensor([0, 1]), torch.zeros(2, 2)
    teacher = Seen(logits, (), torch.tensor([[2.0, 0.0], [0.0, 2.0]]))

    def value(embedding: list[list[float]]) -> float:
        student = Seen(logits, (), torch.tensor(embedding))
        return float(NormAndDirection(student, teacher, 1.0)(student, teacher, y))

    assert abs(value([[2.0, 0.0], [0.0, 5.0]])) < 1e-6  # along the class; longer is as good
    assert math.isclose(value([[1.0, 0.0], [0.0, 1.0]]), 0.5)  # half as long
    assert math.isclose(value([[0.0, 2.0], [2.0, 0.0]]), 1.0)  # across


def test_features_are_the_last_image_of_every_resolution_and_what_the_head_reads() -> None:
    network = build(ARCH).eval()
    x = drawn(3, 1, 8, 8, seed=7)
    watched = Watched(network, x)
    with torch.no_grad():
        seen = watched.seen(watched(x))
        stem = network.get_submodule("stem")(x)
        last = network[:-1](x)  # type: ignore[index]
    assert [tuple(m.shape[1:]) for m in seen.maps] == [(8, 8, 8), (16, 4, 4)]
    torch.testing.assert_close(seen.maps[0], stem)
    torch.testing.assert_close(seen.maps[1], last)
    assert seen.embedding is not None
    torch.testing.assert_close(seen.embedding, last.mean((2, 3)))
    watched.close()


def test_maps_are_matched_from_the_coarsest_and_brought_to_one_size() -> None:
    student = Seen(torch.zeros(1, 2), (torch.zeros(1, 3, 8, 8), torch.zeros(1, 4, 4, 4)))
    teacher = Seen(torch.zeros(1, 2), (torch.zeros(1, 5, 8, 8), torch.zeros(1, 6, 4, 4), torch.zeros(1, 7, 2, 2)))
    sizes = [(tuple(one.shape[1:]), tuple(other.shape[1:])) for one, other in matched(student, teacher)]
    assert sizes == [((4, 2, 2), (7, 2, 2)), ((3, 4, 4), (6, 4, 4))]


class Flat(nn.Module):
    """No feature is an image."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.flatten(1))


@pytest.mark.parametrize("loss", ["logits", "hints"])
def test_a_teacher_of_other_classes_is_refused(loss: str, tmp_path: object) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        student = Variant(ARCH, build(ARCH).eval())
        teacher = nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), Flat(CLASSES + 3)).eval()
    with pytest.raises(StepError, match=f"teacher tells {CLASSES + 3} classes apart and the student {CLASSES}"):
        Distill(loss=loss, epochs=1)(student, Context(toy_data(), teacher, tmp_path))  # type: ignore[arg-type]


def test_a_teacher_without_feature_maps_is_refused_for_a_loss_of_features(tmp_path: object) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        student, teacher = Variant(ARCH, build(ARCH).eval()), Flat(CLASSES).eval()
    with pytest.raises(StepError, match="no layers whose output is an image.*Write `loss: logits`"):
        Distill(loss="hints", epochs=1)(student, Context(toy_data(), teacher, tmp_path))  # type: ignore[arg-type]
    assert not any(layer._forward_hooks for layer in (*student.network.modules(), *teacher.modules()))
