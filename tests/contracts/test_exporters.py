"""What every registered exporter promises: the network's answers, the same bytes again, and an unchanged network."""

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from compress.export import EXPORTERS, Exporter, ExportError
from compress.export.agreement import agreement
from tests.compress.small_networks import INPUT_SHAPE, NORMALISATION, depthwise, images, torch_logits

EXTRAS = {"openvino": "openvino", "pte": "executorch"}
SLOW = ("pte", "litert")
NAMES = [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in EXPORTERS.names()]


def exporter_of(name: str) -> Exporter:
    if name in EXTRAS and find_spec(EXTRAS[name]) is None:
        pytest.skip("an extra")
    if name == "litert" and not os.environ.get("LATHE_LITERT_PYTHON"):
        pytest.skip("LATHE_LITERT_PYTHON names no Python with litert-torch")
    return EXPORTERS.get(name)


@pytest.mark.parametrize("name", NAMES)
def test_the_file_answers_as_the_network_and_is_the_same_twice(name: str, tmp_path: Path) -> None:
    exporter, network, x = exporter_of(name), depthwise().train(), images(16, seed=5)
    paths = [tmp_path / f"{i}{exporter.suffix}" for i in range(2)]
    for path in paths:
        assert exporter(network, NORMALISATION, INPUT_SHAPE, path) == path
    assert network.training
    expected = torch_logits(network.eval(), x).numpy()
    found = exporter.answers(paths[0], x.numpy())
    np.testing.assert_allclose(found, expected, rtol=0, atol=exporter.tolerance * np.abs(expected).max())
    same = agreement(exporter, paths[0], network, NORMALISATION, x.numpy())
    assert same.images == 16 and same.alike == 1.0 and same.difference <= exporter.tolerance
    files = sorted(path for path in tmp_path.iterdir())
    first, second = ([f.read_bytes() for f in files if f.name.startswith(i)] for i in "01")
    assert first == second and len(files) == 2 * len(first)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n == "litert" else n for n in EXPORTERS.names()]
)
def test_a_file_that_is_none_is_refused_with_its_name(name: str, tmp_path: Path) -> None:
    exporter = exporter_of(name)
    broken = tmp_path / f"broken{exporter.suffix}"
    broken.write_bytes(b"not a model")
    with pytest.raises(ExportError, match="broken.*[Ee]xport"):
        exporter.answers(broken, images(1).numpy())


def test_a_file_of_another_network_does_not_agree(tmp_path: Path) -> None:
    exporter, network = EXPORTERS.get("onnx"), depthwise()
    path = exporter(network, NORMALISATION, INPUT_SHAPE, tmp_path / "a.onnx")
    other = depthwise()
    with torch.no_grad():
        for layer in other.modules():
            if isinstance(layer, nn.Linear):
                layer.bias[0] += 1.0
    with pytest.raises(ExportError, match="a.onnx answers differently from the network, by"):
        agreement(exporter, path, other, NORMALISATION, images(4).numpy())
