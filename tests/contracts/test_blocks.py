"""What every block owes: the supernet runs it, extraction copies it, and the counts are those of the real network."""

import random

import pytest
import torch
from torch.nn.functional import cross_entropy

from search.supernet.shared_weights import Supernet
from spaces.architecture import Architecture
from spaces.counts import count
from spaces.merge import merge
from spaces.network import Placed, build
from spaces.space import SearchSpace, choices, largest, sample, smallest
from spaces.windows import network_windows
from tests.contracts.arithmetic import executed_macs
from tests.contracts.small_spaces import space_of, supernet_of

BATCH = 4
SAMPLES = 1
MODES = pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])


@pytest.fixture(scope="module")
def space(kinds: tuple[str, ...], shape: tuple[int, ...]) -> SearchSpace:
    return space_of(kinds, shape)


@pytest.fixture
def supernet(space: SearchSpace) -> Supernet:
    return supernet_of(space)


@pytest.fixture(scope="module")
def members(space: SearchSpace) -> list[Architecture]:
    rng = random.Random(0)
    return [largest(space, rng), *(sample(space, rng) for _ in range(SAMPLES)), smallest(space, rng)]


def examples(arch: Architecture, seed: int = 0) -> torch.Tensor:
    """A batch in the memory order that training uses; a block that is random in training draws the same after it."""
    torch.manual_seed(seed)
    x = torch.randn(BATCH, *arch.input_shape)
    return x.to(memory_format=torch.channels_last) if x.ndim == 4 else x


@MODES
def test_the_supernet_computes_what_the_extracted_network_does_bit_for_bit(
    supernet: Supernet, members: list[Architecture], training: bool
) -> None:
    for arch in members:
        alone = supernet.extract(arch).train(training)
        expected = alone(examples(arch))
        assert torch.equal(supernet.train(training)(examples(arch), arch), expected)
        assert expected.isfinite().all() and expected.std() > 0


def test_gradients_equal_those_of_the_network_alone_and_are_zero_outside_its_windows(
    supernet: Supernet, members: list[Architecture]
) -> None:
    y = torch.arange(BATCH)
    for arch in members:
        alone = supernet.extract(arch).train()
        cross_entropy(alone(examples(arch)), y).backward()
        supernet.train().zero_grad()
        cross_entropy(supernet(examples(arch), arch), y).backward()
        grads = {
            name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in supernet.store.named_parameters()
        } | dict(supernet.store.named_buffers())
        windows = network_windows(grads, arch)
        for name, parameter in alone.named_parameters():
            assert parameter.grad is not None, f"{name} is not used"
            # to rounding: torch sums the product for a weight with gaps between its rows in another order
            torch.testing.assert_close(windows[name], parameter.grad, rtol=1e-5, atol=1e-6, msg=name)
            windows[name].zero_()
        assert not [name for name, _ in supernet.store.named_parameters() if grads[name].any()]


def test_training_moves_the_batch_norm_statistics_of_the_windows_and_no_others(
    supernet: Supernet, members: list[Architecture]
) -> None:
    for arch in members:
        before = {name: b.clone() for name, b in supernet.store.named_buffers()}
        alone = supernet.extract(arch).train()
        alone(examples(arch))
        supernet.train()(examples(arch), arch)
        after = supernet.tensors()
        windows, old_windows = network_windows(after, arch), network_windows(before | after_parameters(after), arch)
        buffers = dict(alone.named_buffers())
        assert buffers
        for name, buffer in buffers.items():
            assert torch.equal(windows[name], buffer), name
            assert not torch.equal(windows[name], old_windows[name]), name
            old_windows[name].copy_(windows[name])
        assert all(torch.equal(before[name], b) for name, b in supernet.store.named_buffers())


def after_parameters(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in tensors.items() if isinstance(tensor, torch.nn.Parameter)}


def test_evaluating_leaves_the_store_as_it_is(supernet: Supernet, members: list[Architecture]) -> None:
    before = {name: tensor.clone() for name, tensor in supernet.tensors().items()}
    supernet.eval()(examples(members[0]), members[0])
    assert all(torch.equal(before[name], tensor) for name, tensor in supernet.tensors().items())


def test_counts_are_those_of_the_real_network(members: list[Architecture]) -> None:
    for arch in members:
        network = merge(build(arch).eval())
        counts = count(arch)
        assert counts.params == sum(p.numel() for p in network.parameters())
        assert counts.macs == executed_macs(network, torch.zeros(1, *arch.input_shape))
        assert counts.peak_bytes > 0


def test_an_extracted_network_has_the_names_and_shapes_of_a_built_one(
    supernet: Supernet, members: list[Architecture]
) -> None:
    for arch in members:
        extracted, built = supernet.extract(arch).state_dict(), build(arch).state_dict()
        assert {n: t.shape for n, t in extracted.items()} == {n: t.shape for n, t in built.items()}
        assert all(not t.is_meta for t in extracted.values())


def test_an_extracted_network_shares_no_memory_with_the_store(supernet: Supernet, members: list[Architecture]) -> None:
    before = {name: tensor.clone() for name, tensor in supernet.tensors().items()}
    extracted = supernet.extract(members[0])
    with torch.no_grad():
        for tensor in extracted.state_dict().values():
            tensor.zero_()
    assert all(torch.equal(before[name], tensor) for name, tensor in supernet.tensors().items())


def test_a_description_survives_json(members: list[Architecture]) -> None:
    for arch in members:
        again = Architecture.from_json(arch.to_json())
        assert again == arch and again.id == arch.id and hash(again) == hash(arch)


def test_the_smallest_and_the_largest_are_in_the_space_and_bound_its_parameters(space: SearchSpace) -> None:
    rng = random.Random(1)
    ends = [smallest(space, rng) for _ in range(2)], [largest(space, rng) for _ in range(2)]
    assert all(choices(space, arch) for end in ends for arch in end)
    low, high = min(count(arch).params for arch in ends[0]), max(count(arch).params for arch in ends[1])
    assert low < high
    assert all(low <= count(sample(space, rng)).params <= high for _ in range(3))


def test_a_block_keeps_the_shape_at_any_resolution(space: SearchSpace) -> None:
    arch = largest(space, random.Random(2))
    block = Placed(arch.stages[0].blocks[0], 24, arch.dims).build().eval()
    for height, width in ((8, 8), (5, 7), (1, 1)) if arch.dims == 2 else ((1, 12), (1, 7), (1, 1)):
        assert block(torch.zeros(1, 24, height, width)).shape == (1, 24, height, width)


def test_a_fresh_block_passes_its_input_through(space: SearchSpace) -> None:
    """The last layer of a residual branch starts at zero."""
    for arch in (largest(space, random.Random(seed)) for seed in range(4)):
        for block in arch.stages[0].blocks:
            x = torch.randn(2, 24, 8 if arch.dims == 2 else 1, 8)
            assert torch.equal(Placed(block, 24, arch.dims).build().eval()(x), x), block
