"""An architecture as a row of numbers."""

import math
import random

import numpy as np

from spaces.architecture import Architecture, Stage
from spaces.blocks import KAN, MBConv
from spaces.counts import count
from spaces.features import feature_names, features
from spaces.space import BlockChoice, SearchSpace, StageSpace, sample

MBCONV = BlockChoice("mbconv", (("se", (False, True)), ("act", ("relu6", "silu"))))
SPACE = SearchSpace(
    (1, 8, 8), 10, (8,), 1, (StageSpace((1, 2, 3), (16,), 1, (MBCONV, BlockChoice("kan"), MBCONV)),) * 2
)


def test_a_row_by_hand() -> None:
    blocks = (MBConv(se=True), MBConv(act="silu"), KAN())
    arch = Architecture((1, 8, 8), 10, 8, 1, (Stage(16, 1, blocks), Stage(16, 1, (MBConv(),))))
    row = dict(zip(feature_names(SPACE), features(SPACE, arch), strict=True))
    counts = count(arch)
    assert row == {
        "log macs": math.log(counts.macs),
        "log params": math.log(counts.params),
        "log peak bytes": math.log(counts.peak_bytes),
        "depth": 4,
        "squeeze-excitations": 1,
        "unfused activations": 2,  # SiLU and the rational ones
        "stage0.kan": 1,
        "stage0.mbconv": 2,
        "stage1.kan": 0,
        "stage1.mbconv": 1,
    }


def test_every_row_of_a_space_has_a_finite_number_a_name() -> None:
    rng = random.Random(0)
    rows = np.stack([features(SPACE, sample(SPACE, rng)) for _ in range(20)])
    assert rows.shape == (20, len(feature_names(SPACE))) and np.isfinite(rows).all()
    assert len(set(feature_names(SPACE))) == len(feature_names(SPACE))


def test_a_network_off_the_grid_has_features_too() -> None:
    pruned = Architecture((1, 8, 8), 10, 8, 1, (Stage(8, 1, (MBConv(expand=11 / 8),)), Stage(16, 1, ())))
    assert np.isfinite(features(SPACE, pruned)).all()
