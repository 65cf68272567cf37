"""What every rule of training shared weights owes: the same draw for the same step, and no weight left untrained."""

import random
import statistics
from typing import Any

import pytest
import torch

from compress.train import NonFiniteLoss
from search.supernet.rules import RULES, Rule, Step
from search.supernet.rules.attentive import Attentive, alike
from search.supernet.rules.fair import Fair, most_options
from search.supernet.rules.shrinking import Shrinking
from search.supernet.shared_weights import build_supernet
from search.supernet.training import Sharing, train_supernet
from spaces.architecture import Architecture
from spaces.counts import count
from spaces.space import BlockChoice, SearchSpace, StageSpace, choices, largest, sample
from spaces.windows import network_windows
from tests.contracts.small_spaces import space_of
from tests.toy_task import toy_data

SPACE = space_of(("mbconv", "kan"))
STEPS = 60


@pytest.fixture(scope="module", params=RULES.names())
def rule(request: pytest.FixtureRequest) -> Rule:
    return RULES.get(request.param)()


def step_of(number: int, seed: int = 0, space: SearchSpace = SPACE) -> Step:
    return Step(space, seed, number, number / STEPS, lambda arch: int(arch.id[:6], 16) / 1e6)


def test_the_members_of_a_step_depend_on_seed_and_step_alone(rule: Rule) -> None:
    first = rule.members(step_of(41, seed=3))
    random.seed(0)
    assert rule.members(step_of(41, seed=3)) == first and first
    assert first != rule.members(step_of(41, seed=4))
    assert first != rule.members(step_of(42, seed=3))


def test_every_member_is_in_the_space(rule: Rule) -> None:
    for number in range(STEPS):
        assert all(choices(SPACE, arch) for arch in rule.members(step_of(number)))


def test_every_weight_of_the_store_is_trained(rule: Rule) -> None:
    store = build_supernet(SPACE, 0).store
    marks = {name: torch.zeros_like(tensor) for name, tensor in store.state_dict().items()}
    for number in range(STEPS):
        for arch in rule.members(step_of(number)):
            for window in network_windows(marks, arch).values():
                window.fill_(1)
    assert [name for name, _ in store.named_parameters() if not marks[name].all()] == []


def test_a_resumed_training_gives_the_weights_of_the_unbroken_one_bit_for_bit(rule: Rule) -> None:
    data, saved, config = toy_data(train=64), dict[int, bytes](), Sharing(epochs=3, batch=32, rule=rule)
    unbroken, resumed = build_supernet(SPACE, 0), build_supernet(SPACE, 9)
    train_supernet(unbroken, data, config, seed=0, save=saved.__setitem__)
    train_supernet(resumed, data, config, seed=0, start=saved[2])
    assert all(torch.equal(tensor, resumed.tensors()[name]) for name, tensor in unbroken.tensors().items())


def test_a_loss_that_is_not_finite_stops_the_training(rule: Rule) -> None:
    supernet = build_supernet(SPACE, 0)
    with torch.no_grad():
        supernet.store.get_parameter("head.linear.bias").fill_(torch.nan)
    with pytest.raises(NonFiniteLoss, match="at step 0"):
        train_supernet(supernet, toy_data(train=64), Sharing(epochs=1, batch=32, rule=rule), seed=0)


def test_fair_takes_every_option_once_a_step_where_all_decisions_have_as_many() -> None:
    kinds = (BlockChoice("mbconv", (("kernel", (3,)),)), BlockChoice("mbconv", (("kernel", (5,)),)))
    space = SearchSpace((3, 8, 8), 4, (8, 16), 1, (StageSpace((3,), (16, 24), 1, kinds),))
    for number in range(5):
        members = Fair().members(step_of(number, space=space))
        picked = [choices(space, arch) for arch in members]
        assert len(members) == most_options(space) == 2
        for name in ("stem.width", "stage0.width", "stage0.block0", "stage0.block1", "stage0.block2"):
            assert picked[0][name] != picked[1][name]


@pytest.mark.parametrize(("aim", "pick"), [("worst", max), ("best", min)])
def test_attentive_trains_the_one_it_aims_at_among_networks_of_like_cost(aim: str, pick: Any) -> None:
    step = step_of(5)
    rng = step.rng()
    largest(SPACE, rng)
    rivals = alike(SPACE, 3, rng)
    assert Attentive(aim).members(step)[1] == pick(rivals, key=step.loss)


def test_rivals_cost_about_the_same() -> None:
    def spread(archs: list[Architecture]) -> float:
        macs = [count(arch).macs for arch in archs]
        return max(macs) / min(macs)

    rng = random.Random(0)
    rivals = [spread(alike(SPACE, 3, rng)) for _ in range(20)]
    strangers = [spread([sample(SPACE, rng) for _ in range(3)]) for _ in range(20)]
    assert statistics.median(rivals) < 1.2 < 2 < statistics.median(strangers)


def test_shrinking_frees_blocks_then_depths_then_widths() -> None:
    def shapes(number: int) -> tuple[int, set[int], set[tuple[int, ...]]]:
        found: list[Architecture] = [a for seed in range(30) for a in Shrinking().members(step_of(number, seed))]
        return len(found), {a.depth for a in found}, {tuple(s.width for s in a.stages) for a in found}

    assert shapes(0) == (30, {4}, {(24, 32)})
    assert shapes(20) == (90, {4}, {(24, 32)})
    assert shapes(35) == (90, {2, 3, 4}, {(24, 32)})
    assert len(shapes(59)[2]) > 1


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("sandwich", {"between": -1}),
        ("attentive", {"aim": "middle"}),
        ("attentive", {"between": 0}),
        ("attentive", {"rivals": 1}),
        ("growing", {"budget": 0.0}),
        ("growing", {"budget": 1.1}),
        ("growing", {"until": 0.0}),
        ("growing", {"between": -1}),
        ("growing", {"logit_lr": 0.0}),
        ("growing", {"cold": 0.0}),
        ("growing", {"hot": 0.01}),
        ("relaxed", {"cold": 0.0}),
        ("relaxed", {"hot": 0.1}),
        ("relaxed", {"skips": 1.5}),
        ("shrinking", {"full": 1.0}),
        ("shrinking", {"between": 0}),
        ("uniform", {"paths": 0}),
    ],
)
def test_settings_that_cannot_be_are_refused(name: str, settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"`{next(iter(settings))}`"):
        RULES.get(name)(**settings)
