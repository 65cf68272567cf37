"""What every enter owes: the promised shape anywhere, shared weights, exact counts, pruning and a file that agrees."""

import math
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from compress.apply import file_of
from compress.context import Context
from compress.export.session import graph_report, logits
from compress.prune.by_ratio import prune
from compress.quantize.int8 import quantize_static
from compress.variant import Variant
from spaces.architecture import Architecture, Stage
from spaces.blocks import MBConv
from spaces.counts import count
from spaces.enters import ENTERS
from spaces.network import Enter, build
from spaces.space import BlockChoice, SearchSpace, StageSpace, largest, smallest
from spaces.windows import extract
from tests.contracts.arithmetic import executed_macs
from tests.contracts.small_spaces import scramble, supernet_of
from tests.toy_task import CLASSES, toy_data

SIZE = (7, 6)  # one that halves evenly and one that does not
KINDS = pytest.mark.parametrize("kind", ENTERS.names())
DIMS = pytest.mark.parametrize("dims", [1, 2], ids=["series", "images"])


def shape_of(dims: int) -> tuple[int, ...]:
    return (2, 13) if dims == 1 else (1, *SIZE)


@KINDS
@DIMS
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_an_enter_changes_width_and_resolution_as_promised(kind: str, dims: int, stride: int) -> None:
    enter = Enter(kind, 8, 24, stride, dims).build()
    for height, width in ((8, 8), SIZE, (1, 1)) if dims == 2 else ((1, 8), (1, 7), (1, 1)):
        out = enter(torch.randn(2, 8, height, width))
        assert out.shape == (2, 24, math.ceil(height / stride), math.ceil(width / stride))
        assert out.isfinite().all() and (out != 0).any()


@KINDS
@DIMS
def test_it_shares_weights_and_is_counted(kind: str, dims: int) -> None:
    stages = tuple(StageSpace((1,), (16, 24), stride, (BlockChoice("mbconv"),), kind) for stride in (1, 2))
    space = SearchSpace(shape_of(dims), CLASSES, (8, 16), 1, stages)
    supernet, x = supernet_of(space), torch.randn(4, *space.input_shape)
    for pick in (largest, smallest):
        arch = pick(space, random.Random(0))
        for training in (False, True):
            alone = supernet.extract(arch).train(training)
            assert torch.equal(supernet.train(training)(x, arch), alone(x))
        assert count(arch).macs == executed_macs(build(arch).eval(), torch.zeros(1, *space.input_shape))


@KINDS
def test_it_is_pruned_exported_and_quantized(kind: str, tmp_path: Path) -> None:
    stages = tuple(Stage(width, stride, (MBConv(),), kind) for width, stride in ((16, 1), (24, 2)))
    arch, data = Architecture((1, *SIZE), CLASSES, 8, 1, stages), toy_data(size=SIZE)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build(arch).eval()
    scramble(network, 0)
    smaller, ordered = prune(arch, dict(network.state_dict()), 0.5, width=True)
    assert count(smaller).params < 0.6 * count(arch).params

    x = data.normalise(data.validation.x)
    with torch.no_grad():
        torch.testing.assert_close(extract(ordered, arch)(x), network(x), rtol=1e-4, atol=1e-4)
        pruned = extract(ordered, smaller)
        expected = pruned(x).numpy()
    path = file_of(Variant(smaller, pruned), Context(data, None, tmp_path))
    found = logits(path, data.validation.x.numpy())
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    int8 = quantize_static(path, data.train.x.numpy(), tmp_path / "int8.onnx")
    assert graph_report(int8)["int8_nodes"] > 0
    assert (logits(int8, data.validation.x.numpy()).argmax(1) == found.argmax(1)).mean() > 0.8
