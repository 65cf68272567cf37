"""An architecture as numbers for a cost model: what its blocks are, from their config fields, and what it counts to."""

import math

import numpy as np

from spaces.architecture import Architecture
from spaces.counts import count
from spaces.space import SearchSpace


def feature_names(space: SearchSpace) -> list[str]:
    """Names of the columns of `features`: log counts, then blocks by stage and kind."""
    kinds = [f"stage{i}.{kind}" for i, stage in enumerate(space.stages) for kind in _kinds(stage.blocks)]
    gates = ["squeeze-excitations", "unfused activations"]
    return ["log macs", "log params", "log peak bytes", "depth", *gates, *kinds]


def features(space: SearchSpace, arch: Architecture) -> np.ndarray:
    """(F,) float64 in the order of `feature_names`. Also defined for pruned networks, which are off the grid."""
    counts = count(arch)
    blocks = [block for stage in arch.stages for block in stage.blocks]
    row = [math.log(counts.macs), math.log(counts.params), math.log(counts.peak_bytes), float(len(blocks))]
    row.append(float(sum(getattr(block, "se", False) for block in blocks)))
    row.append(float(sum(getattr(block, "act", "") not in ("relu", "relu6") for block in blocks)))
    for stage, allowed in zip(arch.stages, space.stages, strict=True):
        row += [float(sum(block.kind == kind for block in stage.blocks)) for kind in _kinds(allowed.blocks)]
    return np.array(row)


def _kinds(blocks: tuple) -> list[str]:
    return sorted({choice.kind for choice in blocks})
