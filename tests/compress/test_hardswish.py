"""Hard-swish stays the one operator that runtimes look for, in float and int8, and nothing else becomes it."""

from pathlib import Path

import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from compress.export import EXPORTERS
from compress.export.hardswish import restore_hardswish
from compress.export.screening import export_for_screening
from compress.export.session import logits
from compress.quantize.int8 import quantize_static
from tests.compress.small_networks import INPUT_SHAPE, NORMALISATION, images, torch_logits


def operators(path: Path) -> list[str]:
    return [node.op_type for node in onnx.load(path).graph.node]


def network() -> nn.Sequential:
    """A hard-swish, and a gate that is none: its input is another one's."""
    torch.manual_seed(0)
    channels = INPUT_SHAPE[0]
    return nn.Sequential(nn.Conv2d(channels, 8, 3), nn.Hardswish(), Gated(), nn.Flatten(), nn.LazyLinear(4)).eval()


class Gated(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * nn.functional.hardsigmoid(x.mean((2, 3), keepdim=True))


@pytest.mark.parametrize("export", [EXPORTERS.get("onnx"), export_for_screening])
def test_a_file_has_the_operator_and_agrees_with_torch_and_so_does_its_int8_file(export, tmp_path: Path) -> None:
    whole, x = network(), images(8, seed=1)
    whole(x)
    path = export(whole, NORMALISATION, INPUT_SHAPE, tmp_path / "float.onnx")
    int8 = quantize_static(path, x.numpy(), tmp_path / "int8.onnx")
    for file, atol in ((path, 1e-4), (int8, 0.1)):
        assert operators(file).count("HardSwish") == 1
        assert operators(file).count("HardSigmoid") == 1
        torch.testing.assert_close(torch.from_numpy(logits(file, x.numpy())), torch_logits(whole, x), atol=atol, rtol=0)


@pytest.mark.parametrize(
    ("why", "alpha", "opset", "outputs"),
    [
        ("another slope", 0.2, 18, ["y"]),
        ("an operator set that has none", 1 / 6, 13, ["y"]),
        ("the gate is read elsewhere", 1 / 6, 18, ["y", "gate"]),
    ],
)
def test_what_is_no_hard_swish_is_left_alone(why: str, alpha: float, opset: int, outputs: list[str]) -> None:
    nodes = [
        helper.make_node("HardSigmoid", ["x"], ["gate"], alpha=alpha, beta=0.5),
        helper.make_node("Mul", ["gate", "x"], ["y"]),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("x", *outputs)]
    graph = helper.make_graph(nodes, "gate", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    assert [node.op_type for node in restore_hardswish(model).graph.node] == ["HardSigmoid", "Mul"], why
