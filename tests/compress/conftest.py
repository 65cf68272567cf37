"""Files that several tests read, made once."""

from pathlib import Path

import pytest

from compress.export import EXPORTERS
from compress.quantize.int8 import quantize_static
from tests.compress.small_networks import INPUT_SHAPE, NETWORKS, NORMALISATION, images


@pytest.fixture(scope="session")
def onnx_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The networks of small_networks.py, exported."""
    folder, export = tmp_path_factory.mktemp("onnx"), EXPORTERS.get("onnx")
    return {
        name: export(make(), NORMALISATION, INPUT_SHAPE, folder / f"{name}.onnx") for name, make in NETWORKS.items()
    }


@pytest.fixture(scope="session")
def int8_file(onnx_files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The depthwise network in int8."""
    path = tmp_path_factory.mktemp("int8") / "depthwise.onnx"
    return quantize_static(onnx_files["depthwise"], images(64).numpy(), path)
