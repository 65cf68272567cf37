"""Structured pruning: what belongs to a unit, which units matter, and what is left."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from compress.context import Context
from compress.prune.by_ratio import kept_units, prune
from compress.prune.channels import Prune
from compress.prune.dimensions import Axis, Dimension, Layers, axes, dimensions, ordered, shortened
from compress.prune.importance import importance, slopes_for
from compress.recipe import StepError
from compress.variant import Variant
from spaces.architecture import Architecture, Stage
from spaces.blocks import KAN, Attention, Block, MBConv
from spaces.blocks.bottleneck_kan import BottleneckKAN
from spaces.blocks.condconv import CondConv
from spaces.blocks.moe import MoE
from spaces.blocks.polynomial import PolynomialKAN
from spaces.network import build
from spaces.windows import extract
from tests.contracts.small_spaces import scramble
from tests.toy_task import CLASSES, toy_data

NORM = ("bias", "running_mean", "running_var", "weight")


def arch_of(*blocks: Block, width: int = 16) -> Architecture:
    return Architecture((1, 8, 8), CLASSES, 8, 1, (Stage(width, 2, blocks),))


def network_of(arch: Architecture) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build(arch)
    scramble(network, 0)
    return network.eval()


def run(network: nn.Module) -> Tensor:
    with torch.no_grad():
        return network(toy_data().normalise(toy_data().validation.x))


def test_the_axes_of_hidden_channels_are_those_drawn_on_paper() -> None:
    arch = arch_of(MBConv(expand=2))
    name = "stage0_block0_mbconv.branch"
    expected = {Axis(f"{name}.{norm}_norm.{leaf}", 0, 1) for norm in ("expand", "depthwise") for leaf in NORM}
    expected |= {Axis(f"{name}.expand.weight", 0, 1), Axis(f"{name}.depthwise.weight", 0, 1)}
    expected |= {Axis(f"{name}.project.weight", 1, 1)}
    assert set(axes(arch, Dimension(0, 0, "hidden", 32))) == expected


def test_squeezed_channels_are_shortened_but_never_reordered() -> None:
    arch = arch_of(MBConv(expand=2, se=True))
    found = {axis for axis in axes(arch, Dimension(0, 0, "hidden", 32)) if ".se." in axis.tensor}
    name = "stage0_block0_mbconv.branch.se"
    outer = {
        Axis(f"{name}.squeeze.weight", 1, 1),
        Axis(f"{name}.excite.weight", 0, 1),
        Axis(f"{name}.excite.bias", 0, 1),
    }
    assert found == outer
    smaller, tensors = prune(arch, dict(network_of(arch).state_dict()), 0.5)
    left = extract(tensors, smaller).state_dict()
    assert left[f"{name}.squeeze.weight"].shape == (4, 16, 1, 1)
    assert left[f"{name}.excite.weight"].shape == (16, 4, 1, 1)


def test_a_head_is_as_many_entries_as_it_has_channels() -> None:
    arch = arch_of(Attention(heads=4, head_dim=8))
    found = set(axes(arch, Dimension(0, 0, "heads", 4)))
    name = "stage0_block0_attention_head_dim8"
    expected = {Axis(f"{name}.{layer}.{leaf}", 0, 8) for layer in "qkv" for leaf in ("weight", "bias")}
    assert found == expected | {Axis(f"{name}.project.weight", 1, 8)}


@pytest.mark.parametrize("make", [PolynomialKAN, BottleneckKAN])
def test_polynomials_shrink_along_their_degree_and_the_highest_go(make: Any) -> None:
    arch = arch_of(make(degree=4, ratio=1))
    tensors = dict(network_of(arch).state_dict())
    assert [(d.name, d.units) for d in dimensions(arch)] == [("width", 2), ("degree", 4), ("hidden", 16)]
    assert axes(arch, Dimension(0, 0, "degree", 4)) == ()
    smaller, ordered_by = prune(arch, tensors, 0.5)
    (block,) = smaller.stages[0].blocks
    assert block.units(16) == {"degree": 2, "hidden": 8}
    left = {name: tensor for name, tensor in extract(ordered_by, smaller).state_dict().items() if ".terms." in name}
    assert {name.split(".terms.")[1][0] for name in left} == {"0", "1"}
    only = shortened(arch, Dimension(0, 0, "degree", 4), 2)
    shorter = extract(tensors, only).state_dict()
    assert all(torch.equal(shorter[name], tensors[name]) for name in shorter), "what is left is as it was"


def test_an_expert_is_its_layers_and_its_gate() -> None:
    arch = arch_of(MoE(experts=3, ratio=1))
    found = set(axes(arch, Dimension(0, 0, "experts", 3)))
    (name,) = {one.tensor.partition(".router")[0] for one in found if ".router." in one.tensor}
    layers = {Layers(f"{name}.experts", f"{layer}.{leaf}") for layer in ("up", "down") for leaf in ("weight", "bias")}
    assert found == layers | {Axis(f"{name}.router.weight", 0, 1), Axis(f"{name}.router.bias", 0, 1)}


@pytest.mark.parametrize("kind", ["magnitude", "taylor", "hessian"])
def test_the_expert_that_does_nothing_goes(kind: str) -> None:
    """CondConv's gates are sigmoids of their own, so that a kernel of zeros can leave without a trace."""
    data, arch = toy_data(), arch_of(CondConv(experts=3, expand=1))
    tensors = {name: tensor.clone() for name, tensor in network_of(arch).state_dict().items()}
    (experts,) = [d for d in dimensions(arch) if d.name == "experts"]
    (kernels,) = [one for one in axes(arch, experts) if isinstance(one, Layers)]
    tensors[kernels.of(1)].zero_()
    whole = extract(tensors, arch)
    worth = importance(tensors, axes(arch, experts), 3, kind, slopes_for(kind, whole, data))
    assert worth.argmin() == 1
    order = worth.argsort(descending=True)
    smaller = shortened(arch, experts, 2)
    left = extract(ordered(tensors, axes(arch, experts), order), smaller)
    torch.testing.assert_close(run(left), run(whole), rtol=1e-5, atol=1e-5)


def test_a_width_belongs_to_its_enter_its_blocks_and_what_comes_next() -> None:
    arch = arch_of(MBConv(expand=2), KAN(ratio=1), width=24)
    width = axes(arch, Dimension(0, -1, "width", 3))
    found = {(axis.tensor, axis.axis): axis.per_unit for axis in width if isinstance(axis, Axis)}
    assert found["stage0_enter_conv.conv.weight", 0] == found["head.linear.weight", 1] == 8
    assert found["stage0_block0_mbconv.branch.expand.weight", 1] == 8
    assert found["stage0_block1_kan.branch.inner.a", 0] == 1, "a group of 8 channels has one function"
    assert ("stem.conv.weight", 0) not in found and ("head.linear.weight", 0) not in found
    assert ("stage0_block0_mbconv.branch.expand.weight", 0) not in found, "hidden channels stay as many"


def test_dimensions_are_what_blocks_say_and_widths_in_eights() -> None:
    found = dimensions(arch_of(MBConv(expand=2), Attention(2, 8, 1)))
    assert [(d.block, d.name, d.units) for d in found] == [
        (-1, "width", 2), (0, "hidden", 32), (1, "heads", 2), (1, "hidden", 16),
    ]  # fmt: skip
    assert [d.name for d in dimensions(arch_of(MBConv(expand=2), width=20))] == ["hidden"]


def test_a_narrower_stage_keeps_the_units_of_its_blocks() -> None:
    arch = arch_of(MBConv(expand=2), Attention(4, 8, 1.5), KAN(ratio=2), width=32)
    narrow = shortened(arch, Dimension(0, -1, "width", 4), 3).stages[0]
    assert narrow.width == 24
    units = [block.units(24) for block in narrow.blocks]
    assert units == [{"hidden": 64}, {"heads": 4, "hidden": 48}, {"groups": 8}]


@pytest.mark.parametrize(
    ("units", "ratio", "multiple", "kept"),
    [
        (32, 0.25, 8, 24), (32, 0.3, 8, 24), (32, 0.05, 8, 32), (32, 0.99, 8, 8), (36, 0.01, 8, 36 // 8 * 8),
        (8, 0.25, 8, 6), (12, 0.1, 8, 8), (4, 0.25, 1, 3), (4, 0.99, 1, 1), (2, 0.5, 1, 1), (1, 0.5, 1, 1),
        (3, 0.1, 1, 3),
    ],
)  # fmt: skip
def test_the_units_that_stay(units: int, ratio: float, multiple: int, kept: int) -> None:
    assert kept_units(units, ratio, multiple) == kept


def test_importance_ignores_statistics_and_the_scale_of_a_tensor() -> None:
    tensors = {"w": torch.tensor([[1.0, 0.0], [2.0, 0.0]]), "n.running_var": torch.tensor([100.0, 0.0])}
    found = (Axis("w", 0, 1), Axis("n.running_var", 0, 1))
    small = importance(tensors, found, 2)
    torch.testing.assert_close(small, torch.tensor([0.4, 1.6]))
    torch.testing.assert_close(importance(tensors | {"w": 1000 * tensors["w"]}, found, 2), small)


def test_ordering_moves_whole_units_in_every_axis() -> None:
    tensors = {"q": torch.arange(6.0), "out": torch.arange(6.0)[None], "other": torch.ones(3)}
    moved = ordered(tensors, (Axis("q", 0, 2), Axis("out", 1, 2)), torch.tensor([2, 0, 1]))
    assert moved["q"].tolist() == moved["out"][0].tolist() == [4, 5, 0, 1, 2, 3]
    assert moved["other"] is tensors["other"] and tensors["q"].tolist() == [0, 1, 2, 3, 4, 5]


def test_removing_dead_channels_and_heads_changes_nothing() -> None:
    """Half of the hidden channels and of the heads contribute nothing, scattered: exactly they must go."""
    arch = arch_of(MBConv(expand=2), Attention(heads=4, head_dim=8, ratio=2))
    tensors = {name: tensor.clone() for name, tensor in network_of(arch).state_dict().items()}
    dead = {"hidden": torch.arange(0, 32, 2), "heads": torch.tensor([0, 3])}
    for dimension in dimensions(arch):
        for axis in axes(arch, dimension) if dimension.name in dead else ():
            if isinstance(axis, Axis) and "running" not in axis.tensor:
                rows = (dead[dimension.name][:, None] * axis.per_unit + torch.arange(axis.per_unit)).flatten()
                tensors[axis.tensor].index_fill_(axis.axis, rows, 0)
    smaller, reordered = prune(arch, tensors, 0.5)
    assert [d.units for d in dimensions(smaller)] == [2, 16, 2, 16], "widths stay"
    torch.testing.assert_close(run(extract(reordered, smaller)), run(extract(tensors, arch)), rtol=1e-5, atol=1e-5)
    wrong = extract(tensors, smaller)  # without the order the same window loses what matters
    assert (run(wrong) - run(extract(tensors, arch))).abs().max() > 1e-2


def test_the_step_gives_a_trained_smaller_network_and_leaves_the_first_alone(tmp_path: Path) -> None:
    data, arch = toy_data(), arch_of(MBConv(expand=4, se=True), KAN(ratio=2))
    before = Variant(arch, network_of(arch))
    state = {name: tensor.clone() for name, tensor in before.network.state_dict().items()}
    step = Prune(ratio=0.5, width=True, epochs=4, batch=32, lr=0.05)
    after = step(before, Context(data, None, tmp_path))
    assert isinstance(after.arch, Architecture)
    assert [d.units for d in dimensions(after.arch)] == [1, 32, 2]
    shapes = {name: tensor.shape for name, tensor in after.network.state_dict().items()}
    assert shapes == {name: tensor.shape for name, tensor in build(after.arch).state_dict().items()}
    right = run(after.network).argmax(1) == data.validation.y
    assert right.float().mean() > 0.9 and not after.network.training
    assert all(torch.equal(state[name], tensor) for name, tensor in before.network.state_dict().items())


@pytest.mark.parametrize("kind", ["taylor", "bn", "hessian"])
def test_other_importances_find_the_dead_channels_too(kind: str) -> None:
    """Hidden channels whose BatchNorm factor is zero neither weigh nor change the loss."""
    data, arch = toy_data(), arch_of(MBConv(expand=2))
    network = network_of(arch).eval()
    tensors = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    (hidden,) = [d for d in dimensions(arch) if d.name == "hidden"]
    found = axes(arch, hidden)
    dead = torch.arange(0, hidden.units, 2)
    for axis in found:
        if axis.tensor.endswith((".weight", ".bias")) and tensors[axis.tensor].ndim == 1:
            tensors[axis.tensor][dead] = 0
    network.load_state_dict(tensors)
    slopes = slopes_for(kind, network, data)
    worth = importance(tensors, found, hidden.units, kind, slopes)
    alive = torch.ones(hidden.units, dtype=torch.bool)
    alive[dead] = False
    assert worth[dead].max() == 0 < worth[alive].sum()  # some living ones are never above zero on these images
    if kind == "bn":
        assert worth[alive].min() > 0
    smaller, reordered = prune(arch, tensors, 0.5, kind=kind, slopes=slopes)
    if kind == "bn":
        torch.testing.assert_close(run(extract(reordered, smaller)), run(network), rtol=1e-5, atol=1e-5)


def test_what_cannot_be_pruned_says_why(tmp_path: Path) -> None:
    arch = arch_of(MBConv(expand=1))
    variant = Variant(arch, network_of(arch))
    context = Context(toy_data(), None, tmp_path)
    with pytest.raises(StepError, match="a ratio of 0.1 removes nothing"):
        Prune(ratio=0.1)(variant, context)
    with pytest.raises(StepError, match="put it before quantize"):
        Prune()(replace(variant, precision="int8"), context)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ratio", 1.5, r"`ratio` must be in \(0, 1\), got 1.5. Write 0.5 to halve the channels."),
        ("ratio", 0, "got 0"),
        ("ratio", 1, "got 1"),
        ("importance", "entropy", "`importance` must be one of magnitude, taylor, bn, hessian, got 'entropy'"),
        ("latency", 1.0, r"`latency` must be in \(0, 1\), got 1.0. Write 0.5 for half of what it is now."),
        ("multiple", 0, "`multiple` must be positive, got 0"),
        ("epochs", 0, "`epochs` must be positive"),
    ],
)
def test_settings_that_cannot_be_are_refused(name: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Prune(**{name: value})
