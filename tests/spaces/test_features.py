"""An architecture as a row of numbers that add up over its pieces."""

import random

import numpy as np
import pytest

from spaces.architecture import Architecture, Stage
from spaces.blocks import KAN, MBConv
from spaces.features import feature_names, features, kinds_of
from spaces.network import Placed, Stem
from spaces.space import BlockChoice, SearchSpace, StageSpace, sample
from spaces.waterline import MACS_PER_ELEMENT, kernels_of

MBCONV = BlockChoice("mbconv", (("se", (False, True)), ("act", ("relu6", "silu"))))
SPACE = SearchSpace(
    (1, 8, 8), 10, (8,), 1, (StageSpace((1, 2, 3), (16,), 1, (MBCONV, BlockChoice("kan"), MBCONV)),) * 2
)


def row_of(*stages: tuple[MBConv | KAN, ...]) -> dict[str, float]:
    arch = Architecture((1, 8, 8), 10, 8, 1, tuple(Stage(16, 1, blocks) for blocks in stages))
    return dict(zip(feature_names(SPACE), features(SPACE, arch), strict=True))


def test_a_stem_by_hand() -> None:
    found, shape = kernels_of(Stem(1, 8, 1), (1, 8, 8))
    assert shape == (8, 8, 8)
    assert found.kernels == 2  # convolution and ReLU6: BatchNorm is folded
    read, weights, written = 64, 8 * 9, 8 * 64
    assert found.waterline == max(8 * 64 * 9, MACS_PER_ELEMENT * (read + weights + written))
    assert found.moved == 2 * written


def test_a_depthwise_convolution_waits_for_its_numbers_and_a_dense_one_for_its_arithmetic() -> None:
    block = kernels_of(Placed(MBConv(kernel=3, expand=1), 64), (64, 8, 8))[0]
    numbers = 2 * 64 * 64 + 64 * 9
    assert block.waterline == 2 * 64 * 64 * 64 + max(64 * 64 * 9, MACS_PER_ELEMENT * numbers)


def test_columns_of_the_whole_network_are_the_sums_over_kinds() -> None:
    row = row_of((MBConv(se=True), KAN()), (MBConv(act="silu"),))
    for column in ("kernels", "waterline", "moved"):
        each = [value for name, value in row.items() if name.endswith(column) and not name.startswith("all ")]
        assert row[f"all {column}"] == pytest.approx(sum(each))


def test_equal_blocks_add_up() -> None:
    one, three = row_of((MBConv(),), ()), row_of((MBConv(), MBConv()), (MBConv(),))
    for column in ("kernels", "waterline", "moved"):
        assert three[f"mbconv {column}"] == pytest.approx(3 * one[f"mbconv {column}"])
        assert three[f"stem {column}"] == one[f"stem {column}"] > 0
        assert three[f"kan {column}"] == 0


def test_smooth_activations_count_apart_from_relus() -> None:
    relus, smooth = row_of((MBConv(),), (MBConv(),)), row_of((MBConv(act="hardswish"),), (MBConv(),))
    assert relus["all smooth kernels"] == relus["all smoothed"] == 0
    assert smooth["all smooth kernels"] == 2 and smooth["all smoothed"] == 2 * 4 * 16 * 64  # expanded, depthwise
    assert smooth["all waterline"] == relus["all waterline"]


def test_every_row_of_a_space_has_a_finite_number_a_name() -> None:
    rng = random.Random(0)
    rows = np.stack([features(SPACE, sample(SPACE, rng)) for _ in range(20)])
    assert rows.shape == (20, len(feature_names(SPACE))) and np.isfinite(rows).all()
    assert len(set(feature_names(SPACE))) == len(feature_names(SPACE))


def test_networks_off_the_grid_and_of_other_shapes_have_features_too() -> None:
    pruned = Architecture((1, 8, 8), 10, 8, 1, (Stage(8, 1, (MBConv(expand=11 / 8),)), Stage(16, 1, ())))
    other = Architecture((3, 16, 16), 2, 24, 2, (Stage(40, 2, (KAN(), MBConv())),))
    for arch in (pruned, other):
        assert np.isfinite(features(SPACE, arch)).all()


def test_a_network_of_a_kind_that_the_space_lacks_has_none() -> None:
    narrow = SearchSpace((1, 8, 8), 10, (8,), 1, (StageSpace((1,), (16,), 1, (MBCONV,)),))
    assert "kan" not in kinds_of(narrow)
    with pytest.raises(ValueError, match="'kan'"):
        features(narrow, Architecture((1, 8, 8), 10, 8, 1, (Stage(16, 1, (KAN(),)),)))
