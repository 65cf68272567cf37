"""An architecture as a row of numbers that add up over its kernels."""

import random

import numpy as np
import pytest

from spaces.architecture import Architecture, Stage
from spaces.blocks import KAN, Attention, MBConv
from spaces.features import feature_names, features
from spaces.network import Placed, Stem
from spaces.space import BlockChoice, SearchSpace, StageSpace, sample
from spaces.waterline import MACS_PER_ELEMENT, kernels_of

MBCONV = BlockChoice("mbconv", (("se", (False, True)), ("act", ("relu6", "silu"))))
SPACE = SearchSpace(
    (1, 8, 8), 10, (8,), 1, (StageSpace((1, 2, 3), (16,), 1, (MBCONV, BlockChoice("kan"), MBCONV)),) * 2
)


def row_of(*stages: tuple[MBConv | KAN | Attention, ...]) -> dict[str, float]:
    arch = Architecture((1, 8, 8), 10, 8, 1, tuple(Stage(16, 1, blocks) for blocks in stages))
    return dict(zip(feature_names(), features(arch), strict=True))


def test_a_stem_by_hand() -> None:
    found, shape = kernels_of(Stem(1, 8, 1), (1, 8, 8))
    assert shape == (8, 8, 8)
    read, weights, written = 64, 8 * 9, 8 * 64
    elements = read + weights + written
    waterline = max(8 * 64 * 9, MACS_PER_ELEMENT * elements)
    assert found == {"conv": (1, waterline, elements), "clip": (1, 0, 2 * written)}  # BatchNorm is folded


def test_a_depthwise_convolution_waits_for_its_numbers_and_a_dense_one_for_its_arithmetic() -> None:
    found, _ = kernels_of(Placed(MBConv(kernel=3, expand=1), 64), (64, 8, 8))
    assert found["grouped"].waterline == max(64 * 64 * 9, MACS_PER_ELEMENT * (2 * 64 * 64 + 64 * 9))
    assert found["dense"].waterline == 2 * 64 * 64 * 64


def test_columns_of_the_whole_network_are_the_sums_over_kinds() -> None:
    row = row_of((MBConv(se=True), KAN()), (MBConv(act="silu"),))
    for column in ("kernels", "waterline", "elements"):
        each = [value for name, value in row.items() if name.endswith(column) and not name.startswith("all ")]
        assert row[f"all {column}"] == pytest.approx(sum(each))


def test_equal_blocks_add_up() -> None:
    none, one, three = row_of((), ()), row_of((MBConv(),), ()), row_of((MBConv(), MBConv()), (MBConv(),))
    for name, value in none.items():
        assert three[name] - value == pytest.approx(3 * (one[name] - value))


@pytest.mark.parametrize(
    ("block", "kind", "kernels"),
    [
        (MBConv(act="hardswish"), "smooth", 2),
        (MBConv(se=True), "gate", 1),
        (MBConv(se=True), "mean", 1),
        (Attention(), "product", 2),
        (Attention(), "norm", 3),
    ],
)
def test_what_engines_treat_differently_counts_apart(block: MBConv | Attention, kind: str, kernels: int) -> None:
    plain, row = row_of((MBConv(),), ()), row_of((block,), ())
    assert row[f"{kind} kernels"] - row_of((), ())[f"{kind} kernels"] == kernels
    assert row[f"{kind} elements"] > plain[f"{kind} elements"]


def test_every_row_of_a_space_has_a_finite_number_a_name() -> None:
    rng = random.Random(0)
    rows = np.stack([features(sample(SPACE, rng)) for _ in range(20)])
    assert rows.shape == (20, len(feature_names())) and np.isfinite(rows).all()
    assert len(set(feature_names())) == len(feature_names())


def test_networks_off_the_grid_and_of_other_shapes_have_features_too() -> None:
    pruned = Architecture((1, 8, 8), 10, 8, 1, (Stage(8, 1, (MBConv(expand=11 / 8),)), Stage(16, 1, ())))
    other = Architecture((3, 16, 16), 2, 24, 2, (Stage(40, 2, (KAN(), MBConv())),))
    for arch in (pruned, other):
        assert np.isfinite(features(arch)).all()
