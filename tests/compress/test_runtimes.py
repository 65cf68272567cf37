"""A file is judged in the runtime that will run it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from compress.apply import file_of, find
from compress.context import Context
from compress.evaluate import evaluate_file
from compress.export.openvino import answers
from compress.measurement import Measurement
from compress.quantize.step import Quantize
from compress.runtimes import OPENVINO, openvino_report, runtime_of
from compress.variant import Variant
from spaces.architecture import Architecture, Stage
from spaces.blocks import MBConv
from spaces.network import build
from tests.toy_task import CLASSES, toy_data

pytest.importorskip("openvino", reason="the extra `openvino` is not installed")


class InOpenVino(Quantize):
    """The same quantizer, for a device whose engine is OpenVINO."""

    engine = "openvino"


@pytest.fixture(scope="module")
def variant() -> Variant:
    arch = Architecture((1, 8, 8), CLASSES, 8, 1, (Stage(16, 2, (MBConv(expand=2),)),))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Variant(arch, build(arch).eval())


def test_what_openvino_runs_in_integers_is_counted_in_its_own_graph(variant: Variant, tmp_path: Path) -> None:
    context = Context(toy_data(), None, tmp_path)
    counted = openvino_report(file_of(variant, context))
    assert counted["int8_nodes"] == 0 and counted["float_nodes"] == counted["convolutions"] + counted["products"] > 4
    int8 = replace(variant, precision="int8", quantization=Quantize(images=32))
    integers = openvino_report(file_of(int8, context))
    assert integers["fused_share"] > 0.9 and integers["convolutions"] == counted["convolutions"]


def test_a_step_that_names_openvino_is_judged_by_its_answers(variant: Variant, tmp_path: Path) -> None:
    data = toy_data()
    context, step = Context(data, None, tmp_path), InOpenVino(images=32)
    assert runtime_of(step) is OPENVINO is runtime_of(InOpenVino) and runtime_of(Quantize()) is not OPENVINO
    int8 = replace(variant, precision="int8", quantization=step)
    latency = Measurement("latency_ms", 1.0, "ms", 1.0, 1.0, "simulated")
    found = find(int8, context, lambda _: latency)
    in_openvino = answers(found.path, data.validation.x.numpy())
    correct = in_openvino.argmax(1) == data.validation.y.numpy()
    np.testing.assert_array_equal(found.quality.correct, correct)
    np.testing.assert_array_equal(evaluate_file(found.path, data.validation, "openvino").correct, correct)
    assert found.graph == openvino_report(found.path)
