"""An exported file computes what the network computes, from raw pixels, and holds nothing else."""

import hashlib
import logging
import warnings
from pathlib import Path

import onnx
import pytest
import torch
from torch import nn

from compress.export import EXPORTERS, ExportError
from compress.export.screening import export_for_screening
from compress.export.session import graph_report, logits
from tests.compress.small_networks import (
    INPUT_SHAPE,
    NETWORKS,
    NORMALISATION,
    depthwise,
    images,
    plain,
    torch_logits,
)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_agrees_with_torch_on_raw_pixels(name: str, onnx_files: dict[str, Path]) -> None:
    x = images(20, seed=1)
    found = torch.from_numpy(logits(onnx_files[name], x.numpy()))
    torch.testing.assert_close(found, torch_logits(NETWORKS[name](), x), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_screening_file_agrees_too_and_runs_the_same_arithmetic(
    name: str, onnx_files: dict[str, Path], tmp_path: Path
) -> None:
    network, x = NETWORKS[name](), images(20, seed=1)
    path = export_for_screening(network, NORMALISATION, INPUT_SHAPE, tmp_path / "screening.onnx")
    torch.testing.assert_close(
        torch.from_numpy(logits(path, x.numpy())), torch_logits(network, x), atol=1e-4, rtol=1e-4
    )
    assert graph_report(path)["float_nodes"] == graph_report(onnx_files[name])["float_nodes"]


@pytest.mark.parametrize("export", [EXPORTERS.get("onnx"), export_for_screening])
def test_equal_networks_give_equal_bytes_wherever_they_are_written(export, tmp_path: Path) -> None:
    first = export(depthwise(), NORMALISATION, INPUT_SHAPE, tmp_path / "a.onnx")
    second = export(depthwise(), NORMALISATION, INPUT_SHAPE, tmp_path / "b.onnx")
    assert hashlib.sha256(first.read_bytes()).digest() == hashlib.sha256(second.read_bytes()).digest()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_holds_standard_operators_weights_and_no_notes(name: str, onnx_files: dict[str, Path]) -> None:
    path = onnx_files[name]
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
    assert not model.metadata_props and not model.graph.value_info and not model.functions
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)
    assert not {"BatchNormalization", "Constant", "Identity"} & {node.op_type for node in model.graph.node}
    weights = 4 * sum(p.numel() for p in NETWORKS[name]().parameters())
    assert weights * 0.8 < path.stat().st_size < weights + 300 * (len(model.graph.node) + 4)


def test_a_file_takes_one_image_of_raw_pixels_under_known_names(onnx_files: dict[str, Path]) -> None:
    graph = onnx.load(onnx_files["plain"]).graph
    (given,), (made,) = graph.input, graph.output
    assert (given.name, made.name) == ("input", "logits")
    assert [d.dim_value for d in given.type.tensor_type.shape.dim] == [1, *INPUT_SHAPE]
    assert [d.dim_value for d in made.type.tensor_type.shape.dim] == [1, 10]


def test_exporting_says_nothing_and_changes_neither_the_network_nor_the_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    network = plain().train().double()
    before, level = {k: v.clone() for k, v in network.state_dict().items()}, logging.root.manager.disable
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        EXPORTERS.get("onnx")(network, NORMALISATION, INPUT_SHAPE, tmp_path / "a.onnx")
        export_for_screening(network, NORMALISATION, INPUT_SHAPE, tmp_path / "b.onnx")
    assert capfd.readouterr() == ("", "")
    assert not seen
    assert network.training and logging.root.manager.disable == level
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())
    assert all(p.requires_grad for p in network.parameters())


class Branching(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1) if x.sum() > 0 else x.flatten(1)[:, :3]


class AsLongAsItIsBright(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[x > 0]


class Unknown(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.special.airy_ai(x).flatten(1)


@pytest.mark.parametrize("network", [Branching(), AsLongAsItIsBright(), Unknown()])
def test_a_network_that_has_no_static_onnx_form_is_refused_in_one_line(network: nn.Module, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="static shapes that torch.onnx.export knows") as caught:
        EXPORTERS.get("onnx")(network, NORMALISATION, INPUT_SHAPE, tmp_path / "a.onnx")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_normalisation_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    for wrong, message in [(((0.0, 0.0), (1.0, 1.0)), "needs 1 means"), (((0.0,), (0.0,)), "must be positive")]:
        with pytest.raises(ExportError, match=message):
            EXPORTERS.get("onnx")(plain(), wrong, INPUT_SHAPE, tmp_path / "a.onnx")


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="cannot write .*missing"):
        export_for_screening(plain(), NORMALISATION, INPUT_SHAPE, tmp_path / "missing" / "a.onnx")
