"""Training the shared weights."""

import io
import itertools
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from compress.devices.lock import exclusive
from compress.evaluate import evaluate
from compress.recalibrate import recalibrate
from compress.train import Batch, NonFiniteLoss, batches, optimizer_for
from search.supernet.checkpoint import load_weights
from search.supernet.cutting import Cutting
from search.supernet.losses import alpha_divergence
from search.supernet.rules import Step
from search.supernet.rules.relaxed import Relaxed
from search.supernet.rules.sandwich import Sandwich
from search.supernet.rules.uniform import Uniform
from search.supernet.shared_weights import Supernet, build_supernet
from search.supernet.training import Sharing, learn, train_supernet
from spaces.architecture import Architecture
from spaces.space import choices, largest, smallest
from spaces.windows import network_windows
from tests.contracts.small_spaces import space_of
from tests.toy_task import toy_data

SPACE = space_of(("mbconv", "kan"))
SHORT = Sharing(epochs=3, batch=32)


def batch_of(seed: int = 0) -> Batch:
    return next(iter(batches(toy_data(), 32, seed, 0)))


def state(supernet: Supernet) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in supernet.tensors().items()}


def drawn(between: int) -> list[Architecture]:
    return Sandwich(between).members(Step(SPACE, 0, 0, 0.0, lambda _: 0.0))


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_members_of_all_sizes_learn_without_being_trained_alone() -> None:
    data, supernet = toy_data(), build_supernet(SPACE, 0)
    train_supernet(supernet, data, Sharing(epochs=6, batch=32), seed=0)
    assert not supernet.training
    for arch in (largest(SPACE, random.Random(0)), smallest(SPACE, random.Random(0))):
        network = supernet.extract(arch)
        recalibrate(network, data.normalise(data.train.x))
        assert evaluate(network, data, data.validation).accuracy > 0.85  # 0.25 by chance


def test_a_sandwich_has_the_largest_first_and_the_smallest_last() -> None:
    members = drawn(2)
    assert len(members) == 4 and all(choices(SPACE, arch) for arch in members)
    assert [stage.width for stage in members[0].stages] == [24, 32] and members[0].depth == 4
    assert [stage.width for stage in members[-1].stages] == [16, 16] and members[-1].depth == 2


def test_a_resumed_training_gives_the_weights_of_the_unbroken_one_bit_for_bit() -> None:
    data, saved = toy_data(train=64), dict[int, bytes]()
    unbroken = build_supernet(SPACE, 0)
    train_supernet(unbroken, data, SHORT, seed=0, save=saved.__setitem__)
    assert list(saved) == [1, 2, 3]
    for stopped_after in (1, 2):
        resumed, again = build_supernet(SPACE, 99), dict[int, bytes]()
        train_supernet(resumed, data, SHORT, seed=0, start=saved[stopped_after], save=again.__setitem__)
        assert list(again) == [1, 2, 3][stopped_after:]
        assert equal(state(resumed), state(unbroken))


def test_the_weights_of_a_checkpoint_can_be_loaded_alone() -> None:
    saved: dict[int, bytes] = {}
    trained, fresh = build_supernet(SPACE, 0), build_supernet(SPACE, 1).train()
    train_supernet(trained, toy_data(), Sharing(epochs=1, batch=64), seed=0, save=saved.__setitem__)
    load_weights(fresh, saved[1])
    assert equal(state(fresh), state(trained)) and not fresh.training
    assert torch.load(io.BytesIO(saved[1]), weights_only=True)["epoch"] == 1


def test_one_step_changes_only_the_windows_of_its_architectures() -> None:
    supernet = build_supernet(SPACE, 0).train()
    config = Sharing(weight_decay=0.0)
    archs = [smallest(SPACE, random.Random(seed)) for seed in (0, 1)]
    assert archs[0] != archs[1]
    before = state(supernet)
    optimizer = optimizer_for(dict(supernet.store.named_parameters()), config)
    learn(supernet, archs, batch_of(), config, 0)
    optimizer.step()
    after = state(supernet)
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    assert {"stem.conv.weight", "head.linear.weight"} <= changed
    for arch in archs:
        windows, old = network_windows(after, arch), network_windows(before, arch)
        for name in windows:
            old[name].copy_(windows[name])
    assert equal(before, after), "something outside the windows moved"


def test_the_gradient_of_a_step_is_the_sum_of_its_members() -> None:
    supernet, config, batch = build_supernet(SPACE, 0).train(), Sharing(distill=False), batch_of()
    archs = drawn(1)

    def gradients(members: list[Any]) -> dict[str, Tensor]:
        supernet.zero_grad()
        for group in members:
            learn(supernet, group, batch, config, 0)
        return {n: p.grad.clone() for n, p in supernet.store.named_parameters() if p.grad is not None}

    together, apart = gradients([archs]), gradients([[arch] for arch in archs])
    assert together.keys() == apart.keys()
    for name, gradient in together.items():
        torch.testing.assert_close(gradient, apart[name], rtol=1e-4, atol=1e-6)


def test_split_each_architecture_learns_from_its_own_part_of_the_batch() -> None:
    config, batch, archs = Sharing(rule=Uniform(paths=3), split=True), batch_of(), drawn(1)
    supernet = build_supernet(SPACE, 0).train()
    learn(supernet, archs, batch, config, 0)
    together = {n: p.grad.clone() for n, p in supernet.store.named_parameters() if p.grad is not None}
    supernet.zero_grad()
    for arch, x, y in zip(archs, batch.x.tensor_split(3), batch.y.tensor_split(3), strict=True):
        (cross_entropy(supernet(x, arch), y) * len(y) / len(batch.y)).backward()
    for name, parameter in supernet.store.named_parameters():
        assert (name in together) == (parameter.grad is not None)
        if parameter.grad is not None:
            torch.testing.assert_close(together[name], parameter.grad, rtol=1e-4, atol=1e-6)


def test_with_distillation_the_others_learn_the_first_ones_outputs_and_not_the_labels() -> None:
    archs, batch = drawn(0), batch_of()
    wrong = batch._replace(y=(batch.y + 1) % 4)
    found = {}
    for distill in (True, False):
        for labels in (batch, wrong):
            supernet = build_supernet(SPACE, 0).train()
            only_small = supernet.extract(archs[-1])  # names of the smallest network's own windows
            learn(supernet, archs, labels, Sharing(distill=distill), 0)
            total = {n: p.grad for n, p in supernet.store.named_parameters() if p.grad is not None}
            supernet.zero_grad()
            learn(supernet, archs[:1], labels, Sharing(), 0)
            first = {n: p.grad for n, p in supernet.store.named_parameters() if p.grad is not None}
            names = [name for name, _ in only_small.named_parameters() if name.startswith("head")]
            found[distill, labels is wrong] = torch.cat([(total[n] - first[n]).flatten() for n in names])
    torch.testing.assert_close(found[True, False], found[True, True], rtol=1e-3, atol=1e-5)
    assert not torch.allclose(found[False, False], found[False, True], rtol=1e-1, atol=1e-3)


def test_a_loss_that_is_not_finite_stops_with_its_step() -> None:
    supernet = build_supernet(SPACE, 0)
    with torch.no_grad():
        supernet.store.get_parameter("head.linear.bias").fill_(torch.nan)
    with pytest.raises(NonFiniteLoss, match="the loss became nan at step 0. Lower `lr`"):
        train_supernet(supernet, toy_data(), SHORT, seed=0)


def test_minutes_stop_it_also_after_a_resume() -> None:
    saved: dict[int, bytes] = {}
    config = Sharing(epochs=100_000, minutes=0.05, batch=64)  # 3 s: at least one epoch, also on a loaded machine
    supernet = build_supernet(SPACE, 0)
    train_supernet(supernet, toy_data(), config, seed=0, save=saved.__setitem__)
    last = max(saved)
    assert 0 < last < 100_000
    before, again = state(supernet), dict[int, bytes]()
    train_supernet(supernet, toy_data(), config, seed=0, start=saved[last], save=again.__setitem__)
    assert not again and equal(state(supernet), before), "no minute is left"


def test_waiting_for_who_measures_is_no_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATHE_LOCK_DIR", str(tmp_path))
    steps, saved, measurers = 0, dict[int, bytes](), []

    def measure() -> None:
        with exclusive("cpu"):
            time.sleep(0.5)

    def before_step() -> None:
        nonlocal steps
        steps += 1
        if steps == 2:
            measurers.append(threading.Thread(target=measure))
            measurers[0].start()
            time.sleep(0.1)  # it takes the gate at once, and gets in when we let it

    began = time.monotonic()
    train_supernet(build_supernet(SPACE, 0), toy_data(train=64), SHORT, 0, None, saved.__setitem__, None, before_step)
    took_s = time.monotonic() - began
    measurers[0].join()
    used_s = torch.load(io.BytesIO(saved[3]), weights_only=True)["used_s"]
    assert 0 < used_s <= took_s - 0.45


def test_the_minutes_are_those_of_the_clock_that_is_given() -> None:
    saved, config = dict[int, bytes](), Sharing(epochs=100_000, minutes=1.0, batch=32)
    ticks = itertools.count(0, 2.0)
    train_supernet(
        build_supernet(SPACE, 0), toy_data(train=64), config, 0, save=saved.__setitem__, clock=lambda: next(ticks)
    )
    assert 1 < max(saved) < 10


def test_every_step_of_every_epoch_draws_its_own_architectures(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[Step] = []

    def seen(rule: Sandwich, step: Step) -> list[Architecture]:
        steps.append(step)
        return [smallest(SPACE, random.Random(0))]

    monkeypatch.setattr(Sandwich, "members", seen)
    train_supernet(build_supernet(SPACE, 0), toy_data(train=64), Sharing(epochs=2, batch=32), seed=0)
    assert [step.number for step in steps] == [0, 1, 2, 3]
    assert [step.done for step in steps] == [0, 0.25, 0.5, 0.75]


def divergence(student: Tensor, teacher: Tensor, alpha: int) -> Tensor:
    """By its definition, for alpha 1 (kl) and -1."""
    return (teacher * (teacher / student).log()).sum(1) if alpha == 1 else 0.5 * ((student**2 / teacher).sum(1) - 1)


def test_the_alpha_divergence_is_the_larger_of_the_two_and_has_its_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(64, 4, generator=generator).requires_grad_()
    soft = (0.5 * torch.randn(64, 4, generator=generator)).softmax(1)  # no ratio comes near the cut
    both = torch.stack([divergence(logits.softmax(1), soft, alpha) for alpha in (1, -1)])
    within = torch.maximum(soft / logits.softmax(1), logits.softmax(1) / soft).amax(1) < 5
    found = alpha_divergence(logits[within], soft[within])
    torch.testing.assert_close(found, both.max(0).values[within].mean())
    chosen = both.argmax(0)[within]
    assert 0 < chosen.sum() < len(chosen), "both kinds are among them"
    (gradient,) = torch.autograd.grad(found, logits, retain_graph=True)
    (expected,) = torch.autograd.grad(both.max(0).values[within].mean(), logits)
    torch.testing.assert_close(gradient, expected)


def test_the_alpha_divergence_stays_finite_where_the_student_is_sure_and_wrong() -> None:
    logits = torch.tensor([[200.0, 0.0], [0.0, 200.0]], requires_grad=True)
    found = alpha_divergence(logits, torch.tensor([[0.0, 1.0], [0.0, 1.0]]))
    found.backward()
    assert torch.isfinite(found) and logits.grad is not None and torch.isfinite(logits.grad).all()


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"divergence": "beta"}, "divergence"),
        ({"epochs": 0}, "epochs"),
        ({"split": True}, "split"),
        ({"cut": Cutting(), "rule": Relaxed()}, "cut"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=f"`{name}`"):
        Sharing(**settings)
