"""The common weights of a stitched space."""

import copy

import pytest
import torch
from torch import Tensor, nn

from compress.recalibrate import recalibrate
from search.alone import fresh
from search.stitching.training import Walk, checkpoint, restore
from search.stitching.weights import Stitched, projection
from spaces.stitch import LARGE, SMALL, stitch_space
from tests.spaces.test_stitch import LARGE as LARGE_ARCH
from tests.spaces.test_stitch import SMALL as SMALL_ARCH

SPACE = stitch_space(SMALL_ARCH, LARGE_ARCH)


@pytest.fixture(scope="module")
def x() -> Tensor:
    return torch.randn(48, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def given(x: Tensor) -> tuple[nn.Sequential, nn.Sequential]:
    """Two networks whose branches do something, and whose statistics are of `x`."""
    made = []
    for arch in (SMALL_ARCH, LARGE_ARCH):
        network = fresh(arch, 0)
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(1)
            for parameter in network.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        recalibrate(network, x)
        made.append(network.eval())
    return made[0], made[1]


def test_a_member_computes_what_it_does_when_it_stands_alone(x: Tensor) -> None:
    stitched = Stitched(SPACE, *given(x), x).eval()
    with torch.no_grad():
        for member in SPACE.members.values():
            alone = stitched.extract(member.arch)
            assert not alone.training
            torch.testing.assert_close(stitched(x, member.arch), alone(x), atol=1e-5, rtol=0)


def test_before_training_both_networks_are_what_they_were(x: Tensor) -> None:
    small, large = given(x)
    with torch.no_grad():
        expected = small(x), large(x)
        stitched = Stitched(SPACE, copy.deepcopy(small), copy.deepcopy(large), x).eval()
        assert torch.equal(stitched(x, SMALL_ARCH), expected[0])
        assert torch.equal(stitched(x, LARGE_ARCH), expected[1])


def test_a_projection_finds_a_linear_map_through_channels_that_are_always_zero() -> None:
    torch.manual_seed(0)
    given, map_ = torch.randn(8, 5, 3, 3), torch.randn(7, 5)
    given[:, 4] = 0
    wanted = torch.einsum("dc,nchw->ndhw", map_, given) + 2.5
    torch.testing.assert_close(projection(given, wanted)(given), wanted, atol=1e-4, rtol=0)


def test_a_projection_has_the_least_error_of_all_nearby_ones(x: Tensor) -> None:
    torch.manual_seed(0)
    given, wanted = torch.randn(16, 4, 4, 4), torch.randn(16, 6, 4, 4)
    fitted = projection(given, wanted)

    def error(layer: nn.Module) -> float:
        with torch.no_grad():
            return (layer(given) - wanted).square().mean().item()

    best = error(fitted)
    for _ in range(5):
        other = copy.deepcopy(fitted)
        with torch.no_grad():
            for parameter in other.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
        assert error(other) > best


def test_the_gradients_of_a_stitch_reach_both_networks_and_its_own_projection_only(x: Tensor) -> None:
    stitched = Stitched(SPACE, *given(x), x).train()
    member = next(m for m in SPACE.members.values() if m.name == "stitch-2b1-2b1")
    stitched(x, member.arch).sum().backward()
    reached = {name.rpartition(".")[0] for name, p in stitched.store.named_parameters() if p.grad is not None}
    homes = {stored for stored in member.stored if any(name.startswith(f"{stored}.") for name in reached)}
    assert homes == set(member.stored)
    assert all(any(name.startswith(f"{stored}.") or name == stored for stored in member.stored) for name in reached)


def test_training_that_goes_on_draws_what_the_unbroken_one_would(x: Tensor) -> None:
    stitched = Stitched(SPACE, *given(x), x).train()
    drawn: list[str] = []
    stitched.register_forward_pre_hook(lambda _, called: drawn.append(SPACE.members[called[1].id].name))
    for walk, steps in ((Walk(stitched, 3, 0), 12), (Walk(stitched, 3, 8), 4)):
        for _ in range(steps):
            walk(x[:2])
    assert drawn[8:12] == drawn[12:] and len(set(drawn)) > 2


def test_a_checkpoint_brings_the_weights_back_with_their_epoch(x: Tensor) -> None:
    one, other = Stitched(SPACE, *given(x), x), Stitched(SPACE, *given(x), x)
    with torch.no_grad():
        for parameter in one.parameters():
            parameter.mul_(0.5)
    assert restore(other, checkpoint(one, 3)) == 3
    ours, theirs = one.tensors(), other.tensors()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert {SMALL, LARGE, *SPACE.seams} == set(dict(one.store.named_children()))
