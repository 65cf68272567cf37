"""What every distillation loss promises: pairs of any two families train, and nothing of it stays on the networks.

A few pairs run with `make test`, every family as student and as teacher with `make slow`.
"""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from compress.context import Context
from compress.distill import LOSSES
from compress.distill.seen import Seen, Watched
from compress.distill.step import Distill
from compress.recipe import StepError
from compress.variant import Variant
from spaces.blocks import BLOCKS
from spaces.network import build
from spaces.tasks import Split
from tests.contracts.small_spaces import INPUT, scramble, two_of_each
from tests.toy_task import CLASSES, toy_data

DATA = toy_data()
FEW = replace(DATA, train=Split(DATA.train.x[:64], DATA.train.y[:64]))
KINDS = BLOCKS.names()
RING = list(zip(KINDS, [*KINDS[1:], KINDS[0]], strict=True))
ATTENDING = ["attention", "biformer", "casvit", "cvt", "moat", "xcit"]
RING += zip(ATTENDING, [*ATTENDING[1:], ATTENDING[0]], strict=True)
QUICK = [("mbconv", "attention")]
PAIRS = [*QUICK, *(pytest.param(*pair, marks=pytest.mark.slow) for pair in dict.fromkeys(RING) if pair not in QUICK)]


def network_of(kind: str, seed: int, teacher: bool = False) -> Variant:
    """The teacher is wider and has one resolution more."""
    arch = two_of_each((kind,))
    if teacher:
        stages = (arch.stages[0], replace(arch.stages[1], width=32), replace(arch.stages[1], width=40))
        arch = replace(arch, stages=stages)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Variant(arch, build(arch).eval())


def seen_by(variant: Variant) -> Seen:
    watched = Watched(variant.network, torch.zeros(2, *INPUT))
    with torch.no_grad():
        found = watched.seen(watched(DATA.normalise(DATA.train.x[:16])))
    watched.close()
    return found


def hooks_of(network: nn.Module) -> int:
    return sum(len(layer._forward_hooks) for layer in network.modules())


@pytest.mark.parametrize(("student", "teacher"), PAIRS)
@pytest.mark.parametrize("name", LOSSES.names())
def test_any_two_families_train(name: str, student: str, teacher: str, tmp_path: Path) -> None:
    start, taught_by = network_of(student, 0), network_of(teacher, 1, teacher=True).network
    before = {key: tensor.clone() for key, tensor in taught_by.state_dict().items()}
    step = Distill(loss=name, epochs=1, batch=32, weight=0.9, lr=0.01)
    if name == "attention-output" and not {student, teacher} <= {*ATTENDING}:
        with pytest.raises(StepError, match="needs attention in both networks, and the (student|teacher) has none"):
            step(start, Context(FEW, taught_by, tmp_path))
        assert hooks_of(taught_by) == hooks_of(start.network) == 0
        return
    after = step(start, Context(FEW, taught_by, tmp_path))
    assert list(after.network.state_dict()) == list(start.network.state_dict())  # projectors stay behind
    assert all(torch.isfinite(tensor).all() for tensor in after.network.state_dict().values())
    assert all(torch.equal(before[key], tensor) for key, tensor in taught_by.state_dict().items())
    assert not taught_by.training and not after.network.training
    assert hooks_of(taught_by) == hooks_of(after.network) == 0


@pytest.mark.parametrize("name", LOSSES.names())
def test_its_gradient_leads_towards_the_teacher(name: str) -> None:
    """A student that is trained with this loss alone has less of it afterwards, on the images it was trained on."""
    pair = network_of("attention", 0), network_of("attention", 1, teacher=True)
    for variant in pair:
        scramble(variant.network, 0)  # attention starts at nothing, which there would be nothing to learn from
    student, teacher = map(seen_by, pair)
    y = DATA.train.y[:16]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        compare: nn.Module = LOSSES.get(name)(student, teacher, 2.0)  # type: ignore[assignment]
        noisy = disturbed(teacher)
    ours = noisy if not list(compare.parameters()) else student  # a projector maps any student, others compare as is
    assert ours.embedding is not None
    maps = [tensor.clone().requires_grad_() for tensor in ours.maps]
    attended = [tensor.clone().requires_grad_() for tensor in ours.attended]
    logits, embedding = (tensor.clone().requires_grad_() for tensor in (ours.logits, ours.embedding))
    leaves = [logits, *maps, embedding, *attended]

    def value() -> torch.Tensor:
        return compare(Seen(logits, tuple(maps), embedding, None, tuple(attended)), teacher, y)

    optimizer = torch.optim.Adam([*leaves, *compare.parameters()], lr=0.02)
    first = value().item()
    for _ in range(30):
        optimizer.zero_grad()
        loss = value()
        loss.backward()
        optimizer.step()
    assert first > 0 and value().item() < 0.8 * first


def disturbed(seen: Seen) -> Seen:
    """The same with noise on everything."""
    assert seen.embedding is not None
    logits, embedding = (x + torch.randn_like(x) for x in (seen.logits, seen.embedding))
    maps, attended = (tuple(x + torch.randn_like(x) for x in group) for group in (seen.maps, seen.attended))
    return Seen(logits, maps, embedding, None, attended)


@pytest.mark.parametrize("name", [name for name, make in LOSSES.items() if not make.needs_features])
def test_a_student_that_answers_as_the_teacher_loses_nothing_and_any_other_something(name: str) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        logits, other = torch.randn(16, CLASSES), torch.randn(16, CLASSES)
    compare = LOSSES.get(name)(Seen(logits), Seen(logits), 3.0)
    assert abs(float(compare(Seen(logits), Seen(logits), DATA.train.y[:16]))) < 1e-5
    assert float(compare(Seen(other), Seen(logits), DATA.train.y[:16])) > 0.01
