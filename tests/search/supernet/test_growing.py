"""Growing: from the smallest network to the budget, in the order of what a unit is good for."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from compress.train import Batch, batches
from search.supernet.rules.growing import Growing
from search.supernet.rules.step import Step
from search.supernet.rules.units import Everything, network
from search.supernet.shared_weights import build_supernet
from search.supernet.training import Sharing, learn, train_step, train_supernet
from spaces.blocks import BLOCKS
from spaces.counts import count
from spaces.space import BlockChoice, SearchSpace, StageSpace, choices, largest, smallest
from tests.contracts.small_spaces import supernet_of
from tests.toy_task import CLASSES, toy_data

MBCONV = (BlockChoice("mbconv", (("kernel", (3, 5)), ("expand", (1, 2)))),)
STAGES = StageSpace((1, 2), (16, 24), 1, MBCONV), StageSpace((1, 3), (16, 24, 32), 2, MBCONV)
SPACE = SearchSpace((1, 8, 8), CLASSES, (8, 16), 1, STAGES)  # one kind: there is one smallest and one largest
SMALLEST, LARGEST = (extreme(SPACE, random.Random(0)) for extreme in (smallest, largest))
LOW, HIGH = count(SMALLEST).macs, count(LARGEST).macs
SERIES = replace(SPACE, input_shape=(2, 12))
LAYERS = SearchSpace((1, 8, 8), CLASSES, (8,), 1, (StageSpace((1, 2), (16,), 1, (BlockChoice("mbconv"),)),) * 2)


def step_of(number: int, done: float, memory: dict[str, Any] | None = None, space: SearchSpace = SPACE) -> Step:
    return Step(space, 0, number, done, lambda arch: 0.0, {} if memory is None else memory)


def batch_of(number: int = 0, shape: tuple[int, ...] = SPACE.input_shape) -> Batch:
    return next(iter(batches(toy_data(channels=shape[0], size=shape[1:]), 32, number, 0)))


def test_it_starts_at_the_smallest_network_whatever_was_learned() -> None:
    memory = {"logits": {"stage0.depth/1": torch.tensor([50.0])}}
    assert Growing().members(step_of(0, 0.0, memory)) == [SMALLEST, SMALLEST]


def test_the_largest_is_reached_after_the_share_of_the_training_that_was_asked_for_and_not_before() -> None:
    found = {done: Growing(until=0.6).members(step_of(1, done))[0] for done in (0.5, 0.6, 1.0)}
    assert found[0.5] != LARGEST == found[0.6] == found[1.0]


@pytest.mark.parametrize("budget", [0.1, 0.4, 1.0])
def test_it_grows_at_a_constant_rate_and_only_under_its_budget(budget: float) -> None:
    rule, rng, top = Growing(budget=budget, between=2), random.Random(0), max(LOW, budget * HIGH)
    units = network(SPACE, Everything(), "").units
    sizes = []
    for number in range(40):
        memory = {"logits": {unit: torch.tensor([rng.gauss(0, 3)]) for unit in units}}
        macs = [count(arch).macs for arch in rule.members(step_of(number, number / 40, memory))]
        assert max(macs) <= LOW * (top / LOW) ** min(1, number / 20) * (1 + 1e-9)
        sizes.append(macs[0])
    assert sizes[0] == LOW and min(sizes[20:]) > 0.6 * top, "what is allowed is used"


def test_smaller_ones_of_all_sizes_share_the_steps_of_a_grown_network() -> None:
    rule = Growing(between=3)
    macs = [count(arch).macs for number in range(60) for arch in rule.members(step_of(number, 1.0))[1:]]
    places = [math.log(each / LOW) / math.log(HIGH / LOW) for each in macs]
    assert len(macs) == 180 and all(sum(k / 4 <= p <= (k + 1) / 4 for p in places) > 20 for k in range(4))
    assert Growing(between=0).members(step_of(0, 1.0)) == [LARGEST]


def test_kinds_are_drawn_evenly_whatever_has_grown() -> None:
    kinds = (BlockChoice("mbconv", (("act", ("relu6", "hardswish")),)), BlockChoice("kan"))
    space = SearchSpace((1, 8, 8), CLASSES, (8,), 1, (StageSpace((2,), (16,), 1, kinds),))
    for done in (0.0, 1.0):
        blocks = [
            Growing(between=0).members(step_of(number, done, space=space))[0].stages[0].blocks[1]
            for number in range(400)
        ]
        mbconvs = [block for block in blocks if block.kind == "mbconv"]
        assert len(mbconvs) / 400 == pytest.approx(0.5, abs=0.08)
        assert sum(block.act == "relu6" for block in mbconvs) / len(mbconvs) == pytest.approx(0.5, abs=0.12)  # type: ignore[attr-defined]


@pytest.mark.parametrize("space", [SPACE, SERIES], ids=["images", "series"])
def test_masks_change_no_number_and_have_the_gradient_of_scaling_their_layers_or_channels(space: SearchSpace) -> None:
    supernet, batch, step = supernet_of(space).eval(), batch_of(0, space.input_shape), step_of(1, 1.0, space=space)
    (arch,), gates = Growing(between=0).members(step), Growing().gates(step)
    outputs = supernet(batch.x, arch, gates=gates)
    assert torch.equal(outputs, supernet(batch.x, arch))
    cross_entropy(outputs, batch.y).backward()
    found = {name: leaf.grad.item() for name, leaf in step.memory["leaves"].items()}
    depths = sorted(name for name in found if "depth" in name)
    assert depths == ["stage0.depth/1", "stage1.depth/1"] and len(found) == 5, "and 1 + 2 widths"

    supernet, x = supernet.double(), batch.x.double()

    def slope(parts: dict[int, torch.Tensor]) -> float:
        """Of the loss, when these parts of the blocks are scaled."""
        ends = [
            cross_entropy(supernet(x, arch, gates=[h * parts.get(k, torch.tensor(0.0)) for k in range(5)]), batch.y)
            for h in (1e-5, -1e-5)
        ]
        return (ends[0] - ends[1]).item() / 2e-5

    def channels(begin: int, end: int, width: int) -> torch.Tensor:
        return torch.tensor([float(begin <= c < end) for c in range(width)]).view(-1, 1, 1).double()

    whole, wider, widest = torch.tensor(1.0), channels(16, 24, 32), channels(24, 32, 32)
    expected = {
        "stage0.depth/1": {1: whole},
        "stage1.depth/1": {3: whole, 4: whole},
        "stage0.width/1": dict.fromkeys((0, 1), channels(16, 24, 24)),
        "stage1.width/1": dict.fromkeys((2, 3, 4), wider),
        "stage1.width/2": dict.fromkeys((2, 3, 4), widest),
    }
    for name, parts in expected.items():
        assert found[name] == pytest.approx(slope(parts), rel=1e-3, abs=1e-6), name
        assert abs(found[name]) > 1e-5, name


@dataclass(frozen=True)
class Nothing:
    """Passes its input on."""

    kind: ClassVar[str] = "nothing"
    separate: ClassVar[tuple[str, ...]] = ()
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {}

    def build(self, width: int) -> nn.Module:
        return nn.Identity()


@pytest.fixture
def skipping() -> Iterator[SearchSpace]:
    """Two layers, each of which may be a block without weights or one of two with."""
    BLOCKS.register("nothing")(Nothing)  # type: ignore[type-var]
    kinds = (BlockChoice("kan"), BlockChoice("nothing"), BlockChoice("mbconv"))
    yield SearchSpace((1, 8, 8), CLASSES, (8,), 1, (StageSpace((2,), (16,), 1, kinds),))
    del BLOCKS._entries["nothing"]


def test_a_block_without_weights_is_a_layer_that_has_not_grown(skipping: SearchSpace) -> None:
    rule, memory = Growing(between=0), dict[str, Any]()
    (seed,), (grown,) = (rule.members(step_of(1, done, memory, skipping)) for done in (0.0, 1.0))
    assert [block.kind for block in seed.stages[0].blocks] == ["nothing"] * 2
    step = step_of(1, 1.0, memory, skipping)
    learn(supernet_of(skipping).train(), [grown], batch_of(), Sharing(rule=rule), 0, rule.gates(step))
    assert {block.kind for block in grown.stages[0].blocks} <= {"kan", "mbconv"}
    assert all(leaf.grad is not None and leaf.grad.abs() > 0 for leaf in memory["leaves"].values())
    assert memory["leaves"].keys() == {"stage0.block0/1", "stage0.block1/1"}


def test_a_layer_that_harms_falls_behind_one_that_helps_and_small_networks_do_without_it() -> None:
    supernet, rule, memory = build_supernet(LAYERS, 0), Growing(logit_lr=0.05, until=0.01), dict[str, Any]()
    train_supernet(supernet, toy_data(), Sharing(epochs=3, batch=32, rule=rule), seed=0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in supernet.store.named_parameters():
            if name.startswith("stage0_block1") and tensor.ndim > 1:
                tensor.add_(0.5 * torch.randn(tensor.shape, generator=generator))
    for number in range(40):
        train_step(supernet.train(), batch_of(number % 4), Sharing(rule=rule), 0, number, 0.5 + number / 80, memory)
        supernet.zero_grad()
    bad, good = (memory["logits"][f"stage{i}.depth/1"].item() for i in (0, 1))
    assert bad < -0.5 < 0.5 < good
    halves = [network(LAYERS, {f"stage{i}.depth/1"}, "").arch for i in (0, 1)]
    half = max(count(arch).macs for arch in halves) / count(largest(LAYERS, random.Random(0))).macs
    small = replace(rule, budget=half + 1e-3, between=0)
    drawn = [small.members(step_of(number, 1.0, memory, LAYERS))[0] for number in range(40)]
    assert set(drawn) <= set(halves) and drawn.count(halves[1]) > 36


def test_a_unit_that_has_been_there_for_long_is_drawn_with_less_chance() -> None:
    halves = [network(LAYERS, {f"stage{i}.depth/1"}, "").arch for i in (0, 1)]
    half = max(count(arch).macs for arch in halves) / count(largest(LAYERS, random.Random(0))).macs
    rule = Growing(budget=half + 1e-3, between=0)

    def share(clock: float) -> float:
        memory: dict[str, Any] = {"logits": {"stage0.depth/1": torch.tensor([0.5])}}
        memory["clocks"] = {f"stage{i}.depth/1": clock for i in (0, 1)}
        drawn = [rule.members(step_of(number, 1.0, memory, LAYERS))[0] for number in range(300)]
        return drawn.count(halves[0]) / 300

    hot, cold = share(0.0), share(1.0)
    assert hot == pytest.approx(0.58, abs=0.07) and cold == pytest.approx(0.96, abs=0.04)


def test_the_clock_of_a_unit_runs_while_it_is_there() -> None:
    rule, memory = Growing(between=0, until=1.0), dict[str, Any]()
    expected: dict[str, float] = {}
    for number in range(11):
        step = step_of(number, number / 10, memory)
        (arch,) = rule.members(step)
        rule.gates(step)
        rule.learn(step)
        for i, stage in enumerate(arch.stages):
            if len(stage.blocks) > 1:
                expected[f"stage{i}.depth/1"] = expected.get(f"stage{i}.depth/1", 0.0) + 0.1
    clocks = memory["clocks"]
    assert {name: clocks[name] for name in clocks if "depth" in name} == pytest.approx(expected)
    assert all(0 < clock < 1 for clock in expected.values()), "none was there from the start"


def test_a_unit_that_gains_less_than_its_macs_gain_elsewhere_falls() -> None:
    narrow, wide = (StageSpace((1, 2), (width,), 1, (BlockChoice("mbconv"),)) for width in (16, 32))
    space, rule, memory = replace(LAYERS, stages=(narrow, wide)), Growing(between=0), dict[str, Any]()
    for number, gains in ((1, (1.0, 1.0)), (2, (1.0, 9.0))):
        step = step_of(number, 1.0, memory, space)
        rule.gates(step)
        for i, gain in enumerate(gains):
            memory["leaves"][f"stage{i}.depth/1"].grad = torch.tensor(-gain)
        before = [memory.get("logits", {}).get(f"stage{i}.depth/1", torch.zeros(1)).item() for i in (0, 1)]
        memory.pop("moments", None)  # of Adam: each step by its own gradient
        rule.learn(step)
        moved = [memory["logits"][f"stage{i}.depth/1"].item() - before[i] for i in (0, 1)]
        assert moved == pytest.approx([0.01, -0.01] if number == 1 else [-0.01, 0.01], rel=1e-3), (
            "of like gains the cheap"
        )


def test_a_resumed_training_has_what_the_unbroken_one_learned() -> None:
    config, data, saved = Sharing(epochs=3, batch=32, rule=Growing()), toy_data(train=64), dict[int, bytes]()
    one = train_supernet(build_supernet(SPACE, 0), data, config, seed=0, save=saved.__setitem__)
    other = train_supernet(build_supernet(SPACE, 1), data, config, seed=0, start=saved[1])
    assert one.memory.keys() == other.memory.keys() == {"logits", "moments", "clocks", "done"}
    assert one.memory["clocks"] == other.memory["clocks"] and one.memory["done"] == other.memory["done"]
    assert one.memory["logits"].keys() == other.memory["logits"].keys()
    assert all(torch.equal(found, other.memory["logits"][name]) for name, found in one.memory["logits"].items())
    assert any(found.abs().sum() > 0 for found in one.memory["logits"].values())
    assert choices(SPACE, Growing().members(step_of(9, 1.0, one.memory))[0])
