"""A network trained from nothing is the same for the same seed, whatever was drawn before."""

import torch

from compress.train import Training
from search.alone import fresh, trained_alone
from tests.contracts.small_spaces import two_of_each
from tests.toy_task import toy_data

ARCH = two_of_each(("mbconv",))


def test_weights_belong_to_the_seed_and_leave_torchs_generator_alone() -> None:
    before = torch.random.get_rng_state()
    one, other, another = fresh(ARCH, 1), fresh(ARCH, 1), fresh(ARCH, 2)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(one.parameters(), another.parameters(), strict=True))


def test_training_changes_the_weights_and_asks_before_every_step() -> None:
    data, asked = toy_data(), list[int]()
    network = trained_alone(ARCH, data, Training(epochs=1, batch=32), 1, lambda: asked.append(1))
    assert len(asked) == len(data.train.y) // 32 and not network.training
    assert any(not torch.equal(a, b) for a, b in zip(network.parameters(), fresh(ARCH, 1).parameters(), strict=True))
