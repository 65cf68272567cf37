"""The relaxation with one hot path: gates that change nothing, gradients that are right, logits that follow them."""

import random
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

from compress.train import Batch, batches
from search.supernet.rules.learned import logits
from search.supernet.rules.paths import removable, skipped
from search.supernet.rules.relaxed import Relaxed, gumbel, most_likely
from search.supernet.rules.step import Step
from search.supernet.shared_weights import Supernet, build_supernet
from search.supernet.training import Sharing, learn, train_supernet
from spaces.space import BlockChoice, SearchSpace, StageSpace, sample
from tests.contracts.small_spaces import supernet_of
from tests.toy_task import CLASSES, toy_data

KINDS = (BlockChoice("mbconv", (("kernel", (3, 5)),)), BlockChoice("kan", (("ratio", (1,)),)))
STAGES = StageSpace((1, 2), (16, 24), 1, KINDS), StageSpace((1, 3), (16, 32), 2, KINDS)
SPACE = SearchSpace((1, 8, 8), CLASSES, (8,), 1, STAGES)


def batch_of(number: int = 0) -> Batch:
    return next(iter(batches(toy_data(), 32, number, 0)))


def step_of(number: int, memory: dict[str, Any], done: float = 0.5) -> Step:
    return Step(SPACE, 0, number, done, lambda arch: 0.0, memory)


def test_gates_change_no_number_and_their_gradient_is_that_of_scaling_the_branch() -> None:
    supernet, batch = supernet_of(SPACE).eval().double(), batch_of()
    arch, x = sample(SPACE, random.Random(3)), batch.x.double()
    gates = [torch.zeros((), dtype=torch.float64, requires_grad=True) for _ in range(arch.depth)]
    outputs = supernet(x, arch, gates=gates)
    assert torch.equal(outputs, supernet(x, arch))
    cross_entropy(outputs, batch.y).backward()
    for at, gate in enumerate(gates):
        ends = [
            cross_entropy(supernet(x, arch, gates=[torch.tensor(h * (k == at)) for k in range(arch.depth)]), batch.y)
            for h in (1e-5, -1e-5)
        ]
        assert gate.grad is not None
        assert gate.grad.item() == pytest.approx((ends[0] - ends[1]).item() / 2e-5, rel=1e-5, abs=1e-9)


def test_a_logit_has_the_gradient_of_its_softmax_times_what_its_branch_is_good_for() -> None:
    supernet, rule, memory = supernet_of(SPACE), Relaxed(), dict[str, Any]()
    step, config, batch = step_of(1, memory), Sharing(rule=Relaxed()), batch_of()
    (arch,) = rule.members(step)
    plain = [torch.zeros((), requires_grad=True) for _ in range(arch.depth)]
    learn(supernet.train(), [arch], batch, config, 0, plain)
    learn(supernet, [arch], batch, config, 0, rule.gates(step))
    leaf, name = memory["leaves"]["stage0.block0"], "stage0.block0"
    p = ((torch.zeros(2) + torch.tensor(gumbel(step, name, 2))) / (5.0 - 4.5 * 0.5)).softmax(0)
    drawn = 0 if arch.stages[0].blocks[0].kind == "mbconv" else 1
    expected = plain[0].grad * p[drawn] * (torch.eye(2)[drawn] - p) / 2.75  # type: ignore[operator]
    torch.testing.assert_close(leaf.grad, expected, rtol=1e-4, atol=1e-8)
    deep = memory["leaves"]["stage1.depth"]
    assert (deep.grad is not None) == (len(arch.stages[1].blocks) > 1), "only layers that depth adds tell about depth"


def spoilt() -> Supernet:
    """A trained supernet in which every kan adds noise to what passes."""
    supernet, generator = build_supernet(SPACE, 0), torch.Generator().manual_seed(0)
    train_supernet(supernet, toy_data(), Sharing(epochs=2, batch=32, rule=Relaxed()), seed=0)
    with torch.no_grad():
        for name, tensor in supernet.store.named_parameters():
            if "_kan" in name and tensor.ndim > 1:
                tensor.add_(0.5 * torch.randn(tensor.shape, generator=generator))
    return supernet.train()


def test_logits_move_to_the_planted_better_kind_at_every_position() -> None:
    supernet, rule, memory = spoilt(), Relaxed(logit_lr=0.05), dict[str, Any]()
    for number in range(60):
        step = step_of(number, memory, number / 60)
        learn(supernet, rule.members(step), batch_of(number % 4), Sharing(rule=rule), number, rule.gates(step))
        rule.learn(step)
        supernet.zero_grad()
    kinds = {name: memory["logits"][name] for name in memory["logits"] if name.count(".") == 1 and "block" in name}
    assert len(kinds) == 5 and all(found[0] > found[1] for found in kinds.values()), kinds
    best = most_likely(rule, SPACE, memory)
    assert {block.kind for stage in best.stages for block in stage.blocks} == {"mbconv"}


def test_paths_are_drawn_with_the_probabilities_of_the_logits() -> None:
    memory: dict[str, Any] = {"logits": {"stage0.block0": torch.tensor([0.0, 1.0])}}
    drawn = [Relaxed(skips=1.0).members(step_of(number, memory))[0] for number in range(600)]
    share = sum(arch.stages[0].blocks[0].kind == "kan" for arch in drawn) / len(drawn)
    assert share == pytest.approx(0.731, abs=0.06)


@pytest.mark.parametrize("skips", [0.0, 0.4, 1.0])
def test_no_path_skips_more_layers_than_the_guard_allows_whatever_was_learned(skips: float) -> None:
    memory: dict[str, Any] = {"logits": {f"stage{i}.depth": torch.tensor([50.0, 0.0]) for i in (0, 1)}}
    drawn = [Relaxed(skips=skips).members(step_of(number, memory))[0] for number in range(20)]
    most = max(skipped(SPACE, arch) for arch in drawn)
    assert removable(SPACE) == 3 and most <= skips * 3
    assert most == (3 if skips == 1.0 else 1 if skips == 0.4 else 0)
    assert skipped(SPACE, most_likely(Relaxed(skips=skips), SPACE, memory)) <= skips * 3


def test_what_the_guard_decided_teaches_the_logits_nothing() -> None:
    memory: dict[str, Any] = {"logits": {f"stage{i}.depth": torch.tensor([50.0, 0.0]) for i in (0, 1)}}
    rule, step = Relaxed(skips=0.0), step_of(0, memory)
    learn(supernet_of(SPACE), rule.members(step), batch_of(), Sharing(rule=rule), 0, rule.gates(step))
    rule.learn(step)
    assert torch.equal(logits(memory, "stage0.depth", 2), torch.tensor([50.0, 0.0]))
    assert logits(memory, "stage0.block0", 2).abs().sum() > 0


def test_a_resumed_training_has_the_logits_of_the_unbroken_one() -> None:
    config, data, saved = Sharing(epochs=3, batch=32, rule=Relaxed()), toy_data(train=64), dict[int, bytes]()
    one = train_supernet(build_supernet(SPACE, 0), data, config, seed=0, save=saved.__setitem__)
    other = train_supernet(build_supernet(SPACE, 1), data, config, seed=0, start=saved[1])
    assert one.memory["logits"].keys() == other.memory["logits"].keys() and "leaves" not in one.memory
    assert all(torch.equal(found, other.memory["logits"][name]) for name, found in one.memory["logits"].items())
    assert any(found.abs().sum() > 0 for found in one.memory["logits"].values())
