"""In which precision the networks of a study are screened: one for all that it compares.

With `search: {screen: int8}` every trial, a random one too, is measured, predicted, limited and compared as the static
int8 file of its network, so that no number of one precision stands beside one of the other. What is measured so has a
metric of its own in the database. How good a network is stays what the float one answers with the shared weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from search.config.fields import Reading

FLOAT, INT8 = PRECISIONS = ("float", "int8")
NETWORK_METRICS = {FLOAT: "latency_ms", INT8: "latency_int8_ms"}  # of an architecture; of a file it is latency_ms
OF_OTHER_SPEED = ("int8-dynamic", "int4-weights")  # quantizers whose files a static one does not foresee
WITHOUT_ONNX = ("executorch", "torch")  # engines that would need another file for every network
IMAGES = 2


def int8_file(plain: Path, input_shape: tuple[int, ...], path: Path) -> Path:
    """The int8 form of an exported file that only a clock will look at: ranges come from random images, since no
    latency depends on them. Its weights must not be zero throughout: see `wake_up`. Raises: QuantizeError. Cost: 0.3 s.
    """
    from compress.quantize.int8 import quantize_static

    images = np.random.default_rng(0).random((IMAGES, *input_shape), dtype=np.float32)
    return quantize_static(plain, images, path)


def check_screen(
    reading: Reading, screen: str, steps: Sequence[tuple[str, Any]], devices: Mapping[str, Any], is_table: bool
) -> None:
    """Note why a study cannot be screened so. steps: of the recipe; a table of networks has none. devices: those that
    limits and objectives speak of; None where something is wrong with one."""
    if screen == FLOAT:
        return
    from compress.recipe import is_quantizing
    from search.config.devices import kind_of

    path = ("search", "screen")
    makes_it = any(is_quantizing(step) and getattr(step, "kind", "") not in OF_OTHER_SPEED for _, step in steps)
    if not makes_it and not is_table:
        reading.wrong(
            path, "networks are screened as int8, and no step of `compress.steps` makes a static int8 file",
            "add `quantize` to the steps, or leave `screen` away",
        )  # fmt: skip
    for name, device in devices.items():
        engine = getattr(device, "engine", kind_of(device)) if device is not None else ""
        if engine in WITHOUT_ONNX:
            reading.wrong(
                path, f"networks are screened as int8 ONNX files, and {name} runs none in {engine}",
                "leave `screen` away, or measure in onnxruntime or openvino",
            )  # fmt: skip
