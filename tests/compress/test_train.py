"""Training one network."""

import math
import time

import pytest
import torch
from torch import Tensor, nn

from compress.evaluate import evaluate
from compress.train import (
    Batch,
    NonFiniteLoss,
    Training,
    augment,
    batches,
    fit,
    hard_labels,
    learning_rate,
    optimizer_for,
)
from spaces.architecture import Architecture, Stage
from spaces.blocks import KAN, MBConv
from spaces.network import build
from tests.toy_task import CLASSES, toy_data

ARCH = Architecture((1, 8, 8), CLASSES, 8, 1, (Stage(16, 2, (MBConv(expand=2), KAN(ratio=1))),))
SHORT = Training(epochs=4, batch=32)


def network(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build(ARCH)


def weights(module: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


def test_it_learns() -> None:
    data, one = toy_data(), network()
    fit(one, data, SHORT, hard_labels(), seed=0)
    assert evaluate(one, data, data.validation).accuracy > 0.9  # 0.25 by chance
    assert not one.training


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    found = []
    for seed in (0, 0, 1):
        found.append(network())
        fit(found[-1], toy_data(), SHORT, hard_labels(), seed)
    assert torch.equal(weights(found[0]), weights(found[1]))
    assert not torch.equal(weights(found[0]), weights(found[2]))


def test_one_step_is_no_longer_than_clipping_allows() -> None:
    moved = {}
    for clip in (1e-3, 1e3):
        one = network()
        before = weights(one)
        fit(one, toy_data(), Training(epochs=1, batch=128, lr=1.0, weight_decay=0.0, clip=clip), hard_labels(), seed=0)
        moved[clip] = (weights(one) - before).norm().item()
    rate = learning_rate(Training(lr=1.0), 0.0)
    assert moved[1e-3] == pytest.approx(rate * 1.9 * 1e-3, rel=1e-2)  # Nesterov's first step is 1 + 0.9 gradients
    assert moved[1e3] > 100 * moved[1e-3]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_at_its_step(value: float) -> None:
    seen: list[int] = []

    def loss(logits: Tensor, batch: Batch) -> Tensor:
        seen.append(len(batch.y))
        return logits.sum() * 0 + (value if len(seen) == 6 else 1.0)

    with pytest.raises(NonFiniteLoss, match=f"the loss became {value} at step 5. Lower `lr`"):
        fit(network(), toy_data(), SHORT, loss, seed=0)
    assert len(seen) == 6


def test_minutes_bound_it_as_epochs_do() -> None:
    started = time.monotonic()
    seconds = fit(network(), toy_data(train=32), Training(10_000, minutes=0.005, batch=32), hard_labels(), seed=0)
    assert 0.3 <= seconds <= time.monotonic() - started < 10


def test_the_callbacks_see_every_step_and_may_stop_it() -> None:
    class Enough(Exception):
        pass

    fractions: list[float] = []
    steps: list[int] = []

    def before_step() -> None:
        steps.append(1)
        if len(steps) > 20:
            raise Enough

    with pytest.raises(Enough):
        fit(
            network(), toy_data(), Training(epochs=8, batch=32), hard_labels(), 0,
            lambda done, text: fractions.append(done) or None, before_step,
        )  # fmt: skip
    assert fractions == sorted(fractions) and fractions[0] == 0 and 0 < fractions[-1] < 1


def test_the_learning_rate_rises_over_5_percent_and_falls_to_1_percent() -> None:
    training = Training(lr=0.1)
    rates = [learning_rate(training, i / 200) for i in range(201)]
    top = rates.index(max(rates))
    assert top == 10 and 0.099 < rates[top] <= 0.1
    assert rates[0] < 0.01 and rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == pytest.approx(0.001)


def test_an_epoch_shows_every_image_once_in_an_order_of_its_own() -> None:
    data = toy_data()
    orders = [torch.cat([batch.rows for batch in batches(data, 30, 0, epoch)]).tolist() for epoch in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert len(orders[0]) == len(set(orders[0])) == 120, "the last 8 do not fill a batch"
    assert [len(b.y) for b in batches(toy_data(train=5), 30, 0, 0)] == [5], "fewer images than a batch are one batch"


def test_a_batch_holds_the_normalised_images_of_its_rows() -> None:
    data = toy_data()
    for batch in batches(data, 32, 0, 0):
        assert torch.equal(batch.x, data.normalise(data.train.x[batch.rows]))
        assert torch.equal(batch.y, data.train.y[batch.rows])


def test_augmented_images_are_shifts_and_mirrors_with_repeated_edges() -> None:
    data = toy_data(channels=2, crop_pixels=2, flip=True)
    x = data.train.x[:32]
    out = augment(x, data, torch.Generator().manual_seed(0))
    assert out.shape == x.shape
    kinds = set()
    for image, result in zip(x, out, strict=True):
        possible = {}
        for flipped in (False, True):
            padded = nn.functional.pad((image.flip(2) if flipped else image)[None], (2, 2, 2, 2), mode="replicate")[0]
            for top in range(5):
                for left in range(5):
                    possible[flipped, top, left] = padded[:, top : top + 8, left : left + 8]
        found = [kind for kind, candidate in possible.items() if torch.equal(candidate, result)]
        assert found, "every pixel comes from the image"
        kinds.add(found[0])
    assert len(kinds) > 15 and {kind[0] for kind in kinds} == {False, True}


def test_nothing_is_augmented_unless_the_task_says_so() -> None:
    data = toy_data()
    assert augment(data.train.x, data, torch.Generator().manual_seed(0)) is data.train.x


def test_vectors_and_activation_coefficients_do_not_decay() -> None:
    one = network()
    named = dict(one.named_parameters())
    decayed, rest = optimizer_for(named, Training(weight_decay=0.1)).param_groups
    assert (decayed["weight_decay"], rest["weight_decay"]) == (0.1, 0.0)
    names = {id(parameter): name for name, parameter in named.items()}
    spared = {names[id(parameter)] for parameter in rest["params"]}
    assert {"stage0_block1_kan.branch.inner.a", "stage0_block1_kan.branch.outer.b", "stem.norm.weight"} <= spared
    assert all(named[name].ndim > 1 for name in named.keys() - spared)
    assert len(spared) + len(decayed["params"]) == len(named)


def test_smoothing_is_that_of_cross_entropy() -> None:
    logits, y = torch.randn(5, 4), torch.arange(5) % 4
    batch = Batch(torch.zeros(5, 1), y, torch.arange(5))
    expected = nn.functional.cross_entropy(logits, y, label_smoothing=0.1)
    assert torch.equal(hard_labels(0.1)(logits, batch), expected)
    assert not torch.equal(hard_labels()(logits, batch), expected)


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 0},
        {"batch": 0},
        {"lr": 0.0},
        {"clip": -1.0},
        {"minutes": -1.0},
        {"weight_decay": -1.0},
        {"smoothing": 1.0},
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"`{next(iter(settings))}`"):
        Training(**settings)  # type: ignore[arg-type]
