"""int8-mixed: the convolutions and products that int8 hurts most stay float, as few as reach an agreement.

Each node's sensitivity is measured (it alone in int8, all others float), nodes are ranked by it, and bisection finds
how many from the top have to stay float. Source of the ranking: Wu et al. 2020, arXiv:2004.09602, section 5.1 (partial
quantization). Differs: nodes are removed by bisection instead of one by one, the target is agreement with the float
file and needs no labels, and sensitivity is the divergence of the outputs and not the accuracy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from compress.export.session import logits
from compress.quantize import QUANTIZERS, QuantizeError
from compress.quantize.int8 import calibrated, write_stripped

if TYPE_CHECKING:
    from compress.context import Context
    from compress.quantize.step import Quantize


@QUANTIZERS.register("int8-mixed")
def mixed(float_path: Path, context: Context, path: Path, settings: Quantize) -> Path:
    """Quantize all but the most sensitive nodes, so that `agreement` of `check` images are answered as in float.

    Raises: QuantizeError: if all would have to stay float, or no training images are left to check with.
    Cost: nodes + log2(nodes) times quantizing and running `check` images; nothing of it if all nodes can be int8.
    """
    images = context.calibration(settings.images)
    others = context.calibration(settings.check, after=settings.images)
    if not len(others):
        raise QuantizeError(
            f"int8-mixed needs training images beside the {len(images)} of the calibration. Lower `images`."
        )
    expected = logits(float_path, others)

    with calibrated(float_path, images, settings.method) as ready:

        def answers(floating: Sequence[str]) -> np.ndarray:
            return logits(write_stripped(ready.quantized(floating), path), others)

        def agrees(floating: Sequence[str]) -> bool:
            return float((answers(floating).argmax(1) == expected.argmax(1)).mean()) >= settings.agreement

        try:
            if not agrees(()):
                error = {
                    name: divergence(expected, answers([other for other in ready.nodes if other != name]))
                    for name in ready.nodes
                }
                ranking = sorted(ready.nodes, key=lambda name: -error[name])
                count = fewest(len(ranking), lambda k: agrees(ranking[:k]))
                if count == len(ranking):
                    raise QuantizeError(
                        f"no convolution or product of {float_path.name} can be int8 at an `agreement` of "
                        f"{settings.agreement:g} on {len(others)} images. Lower it, or train with the step qat."
                    )
                write_stripped(ready.quantized(ranking[:count]), path)
        except BaseException:
            path.unlink(missing_ok=True)  # the last try is not what was asked for
            raise
    return path


def fewest(n: int, holds: Callable[[int], bool]) -> int:
    """The least k in 1..n for which `holds(k)`, by bisection: holds(0) is taken as false and holds(n) as true.

    Where `holds` is not monotone, a k for which it holds, though k - 1 may hold too. Cost: log2(n) calls.
    """
    low, high = 0, n
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def divergence(expected: np.ndarray, found: np.ndarray) -> float:
    """Mean Kullback-Leibler divergence in nats between the answers of two sets of logits (n, classes)."""
    p, q = (x - np.logaddexp.reduce(x, axis=1, keepdims=True) for x in (expected.astype(float), found.astype(float)))
    return float((np.exp(p) * (p - q)).sum(1).mean())
